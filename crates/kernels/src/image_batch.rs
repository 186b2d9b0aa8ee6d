//! Batches of images that lie on a graphics card as bytes.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::looks::Looks;

/// Images on a graphics card as bytes, and what normalization makes of each byte.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cube"), allow(dead_code))]
pub struct ByteImages {
    /// Four bytes each, image after image, `[image, channel, row, column]`.
    words: Tensor<1, Int>,
    count: usize,
    tables: ByteTables,
    /// Channels, height and width.
    shape: [usize; 3],
}

/// What normalization makes of each byte of each channel, on a graphics card.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cube"), allow(dead_code))]
pub struct ByteTables(Tensor<1>);

impl ByteTables {
    /// Uploads what each byte becomes, channel by channel; `None` if `device` is no graphics card that makes batches.
    pub fn upload(tables: &[[f32; 256]], device: &Device) -> Option<Self> {
        #[cfg(feature = "cube")]
        if crate::device::is_card(device) {
            let values = TensorData::new(tables.concat(), [256 * tables.len()]);
            return Some(Self(Tensor::from_data(values, &device.clone().without_autodiff())));
        }
        let _ = (tables, device);
        None
    }

    /// Whether the card may hold that many bytes for good: in one piece, a gigabyte at most, and a quarter of what it has, or
    /// 256 MB if it does not tell.
    pub fn has_room_for(&self, bytes: usize) -> bool {
        #[cfg(feature = "cube")]
        return crate::device::has_room_for(&self.0.device(), bytes);
        #[cfg(not(feature = "cube"))]
        unreachable!(
            "without a card there is no table, so {bytes} bytes of {self:?} were not asked for"
        )
    }

    /// Uploads images of these channels, height and width that stay there, `[images, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// As [`images`](Self::images).
    pub fn resident_images(&self, bytes: Vec<u8>, shape: [usize; 3]) -> ByteImages {
        // In a piece of their own: in a pool, the next map would ask for another page of their size.
        let upload = |bytes| self.images(bytes, shape);
        self.0.device().memory_persistent_allocations(bytes, upload)
    }

    /// Uploads images of these channels, height and width, `[images, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the bytes are not those of whole images of as many channels as there are tables.
    pub fn images(&self, mut bytes: Vec<u8>, shape: [usize; 3]) -> ByteImages {
        let of_image: usize = shape.iter().product();
        let is_whole = of_image > 0 && bytes.len().is_multiple_of(of_image);
        assert!(is_whole, "{} bytes of images of {shape:?}", bytes.len());
        assert_eq!(self.0.dims(), [256 * shape[0]], "a table for each channel");
        let count = bytes.len() / of_image;
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let (words, _) = bytes.as_chunks();
        let words = words.iter().copied().map(u32::from_le_bytes).collect();
        ByteImages { words: unsigned(words, &self.0.device()), count, tables: self.clone(), shape }
    }
}

/// `values` as they are.
fn unsigned(values: Vec<u32>, device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), (device, DType::U32))
}

impl ByteImages {
    /// Images `[batch, channels, height, width]`, normalized, without gradients.
    ///
    /// # Panics
    ///
    /// If a place is none of an image here, or moves it by more than its size, or there is not one partner for each.
    #[cfg_attr(not(feature = "cube"), allow(clippy::needless_pass_by_value))]
    pub fn batch(&self, looks: Looks<'_>) -> Tensor<4> {
        #[cfg(feature = "cube")]
        return on_cards::batch(self, looks);
        #[cfg(not(feature = "cube"))]
        unreachable!(
            "without a card there are no images on it, so {looks:?} of {self:?} were not asked for"
        )
    }
}

#[cfg(feature = "cube")]
mod on_cards {
    use burn::backend::fusion::custom::TensorSpec;
    use burn::backend::tensor::{FloatTensor, IntTensor};
    use burn::backend::{Backend, Dispatch, backend_extension};
    use burn::tensor::{DType, Shape, Tensor};
    use burn_cubecl::CubeBackend;

    use super::{ByteImages, unsigned};
    use crate::cube::image_batch::{BatchOptions, image_batch};
    use crate::looks::{Looks, MixedLooks, PlacedImage};

    #[backend_extension(Cube, Fusion)]
    pub(super) trait ImageBatchOnCards: Backend {
        #[fusion(meta = |_words, _tables, places, options| {
            let [channels, height, width] = options.shape;
            let words = places.shape.num_elements();
            let shape = Shape::new([words / options.words_of_an_image(), height, width, channels]);
            TensorSpec::new(shape, DType::F32)
        })]
        fn backburn_image_batch(
            words: IntTensor<Self>,
            tables: FloatTensor<Self>,
            places: IntTensor<Self>,
            options: BatchOptions,
        ) -> FloatTensor<Self>;
    }

    impl ImageBatchOnCards for CubeBackend {
        fn backburn_image_batch(
            words: IntTensor<Self>,
            tables: FloatTensor<Self>,
            places: IntTensor<Self>,
            options: BatchOptions,
        ) -> FloatTensor<Self> {
            image_batch(words, tables, places, options)
        }
    }

    pub(super) fn batch(images: &ByteImages, looks: Looks<'_>) -> Tensor<4> {
        let shape @ [channels, height, width] = images.shape;
        let [batch, there] = [looks.places.len(), images.count];
        let pack = |place: &PlacedImage| {
            let PlacedImage { image, down, right, .. } = *place;
            assert!(image < there, "image {image} of {there}");
            let is_near = |by: i32, length: usize| (by.unsigned_abs() as usize) < length.max(1);
            assert!(is_near(down, height) && is_near(right, width), "{place:?} of {shape:?}");
            BatchOptions::pack(*place)
        };
        if let Some(MixedLooks { partners, .. }) = &looks.mixed {
            let is_in_batch = partners.iter().all(|&partner| partner < batch);
            assert!(is_in_batch && partners.len() == batch, "partners {partners:?} of {batch}");
        }
        let mut words = Vec::with_capacity(3 * batch);
        for (number, place) in looks.places.iter().enumerate() {
            words.extend(pack(place));
            if let Some(mixed) = &looks.mixed {
                words.push(mixed.partners[number] as u32);
            }
        }
        let options = BatchOptions::new(shape, &looks);
        let places = unsigned(words, &images.tables.0.device());
        let channels_last: Tensor<4> = Tensor::from_dispatch(Dispatch::backburn_image_batch(
            images.words.clone().into_dispatch(),
            images.tables.0.clone().into_dispatch(),
            places.into_dispatch(),
            options,
        ));
        // As convolutions take them, so that none copies the batch. A single channel lies in either order.
        match channels {
            1 => channels_last.reshape([batch, 1, height, width]),
            _ => channels_last.permute([0, 3, 1, 2]),
        }
    }
}
