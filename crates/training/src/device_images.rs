//! How images get to the device: as values, as bytes that it normalizes, or not at all because the set lies there.

use backburn_data::augment::{Border, Place};
use backburn_data::loader::{Delivered, Delivery, Loader};
use backburn_kernels::{ByteImages, ByteTables, Looks, MixedLooks, PlacedImage};
use backburn_regularization::{Mix, MixWay};
use burn::tensor::{Device, Tensor, TensorData};

/// How images get to the device.
#[derive(Clone, Debug, Default)]
pub enum DeviceImages {
    /// Augmented, mixed and normalized on the processor.
    #[default]
    Values,
    /// As the bytes of each batch, augmented on the processor, which the device mixes and normalizes.
    Bytes(Box<ByteTables>),
    /// They lie there; of each batch the device is told where its pixels are to be found.
    Resident {
        /// All images of the set.
        images: Box<ByteImages>,
        /// What is shown beyond their edges.
        border: Border,
    },
}

impl DeviceImages {
    /// The way that moves the fewest bytes: a graphics card holds the set where it has room and its augmentation is no
    /// more than a change of [`Place`]s; else it is given bytes. Every other device is given values.
    pub fn of(loader: &Loader, device: &Device) -> Self {
        let set = loader.set();
        let Some(tables) = ByteTables::upload(loader.tables(), device) else { return Self::Values };
        let fits = tables.has_room_for(set.len() * set.shape().pixels());
        match loader.augmentation().places().filter(|_| fits) {
            Some(border) => {
                let mut bytes = Vec::with_capacity(set.len() * set.shape().pixels());
                set.images().for_each(|image| bytes.extend_from_slice(image));
                let images = Box::new(tables.resident_images(bytes, dims(loader)));
                Self::Resident { images, border }
            }
            None => Self::Bytes(Box::new(tables)),
        }
    }

    /// The same for batches of an evaluation, each of which a device sees once: values or bytes.
    pub fn seen_once(loader: &Loader, device: &Device) -> Self {
        let tables = ByteTables::upload(loader.tables(), device);
        tables.map_or(Self::Values, |tables| Self::Bytes(Box::new(tables)))
    }

    /// What the loader has to deliver.
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Values => Delivery::Values,
            Self::Bytes(_) => Delivery::Bytes,
            Self::Resident { .. } => Delivery::Places,
        }
    }

    /// Images `[batch, channels, height, width]`, as `shape` says, of what was delivered. `indices`: the place of each in
    /// the set; `mix`: how the device has to mix them; values are mixed already.
    ///
    /// # Panics
    ///
    /// If something else was delivered than this asks for.
    pub fn on_device(
        &self,
        delivered: Delivered,
        indices: &[usize],
        shape: [usize; 4],
        mix: Option<&Mix>,
        device: &Device,
    ) -> Tensor<4> {
        let images = match delivered {
            Delivered::Values(values) => {
                return Tensor::from_data(TensorData::new(values, shape), device);
            }
            delivered => self.made(delivered, indices, shape, mix),
        };
        if device.is_autodiff() { images.autodiff() } else { images }
    }

    /// What the device makes of other things than values, without gradients.
    fn made(
        &self,
        delivered: Delivered,
        indices: &[usize],
        shape: [usize; 4],
        mix: Option<&Mix>,
    ) -> Tensor<4> {
        let [_, channels, height, width] = shape;
        let looks = |places: &[PlacedImage], border, images: &ByteImages| {
            let mixed = mix.map(mixed_looks);
            images.batch(Looks { places, reflected: border == Border::Reflect, mixed })
        };
        match (self, delivered) {
            (Self::Bytes(tables), Delivered::Bytes(bytes)) => {
                let images = tables.images(bytes, [channels, height, width]);
                let places: Vec<PlacedImage> = (0..indices.len())
                    .map(|image| PlacedImage { image, ..PlacedImage::default() })
                    .collect();
                looks(&places, Border::Zero, &images)
            }
            (Self::Resident { images, border }, Delivered::Places(places)) => {
                let of = |(&image, &place): (&usize, &Place)| {
                    let Place { down, right, mirrored } = place;
                    PlacedImage { image, down, right, mirrored }
                };
                let places: Vec<PlacedImage> = indices.iter().zip(&places).map(of).collect();
                looks(&places, *border, images)
            }
            _ => panic!("the loader delivers something else than {:?}", self.delivery()),
        }
    }
}

/// Channels, height and width.
fn dims(loader: &Loader) -> [usize; 3] {
    let shape = loader.set().shape();
    [shape.channels, shape.height, shape.width]
}

fn mixed_looks(mix: &Mix) -> MixedLooks<'_> {
    let partners = &mix.partners[..];
    match &mix.way {
        MixWay::Blend => MixedLooks { partners, share: mix.share, rows: 0..0, columns: 0..0 },
        MixWay::Paste { rows, columns } => {
            MixedLooks { partners, share: 1.0, rows: rows.clone(), columns: columns.clone() }
        }
    }
}
