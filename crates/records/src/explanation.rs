//! What in an image speaks for a class, as a map over the image.

use serde::{Deserialize, Serialize};

use crate::pixels::{from_base64, to_base64};

/// How a map was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExplanationMethod {
    /// Each value of the last feature map, times the positive part of the gradient of the class's logit with respect to
    /// it, summed over the channels.
    ///
    /// Jiang et al., [LayerCAM: Exploring Hierarchical Class Activation Maps for
    /// Localization](https://doi.org/10.1109/TIP.2021.3089943), IEEE Transactions on Image Processing 2021.
    LayerCam,
    /// Each value that the network is given, times the gradient of the class's logit with respect to it, summed over the
    /// channels: of a network without a feature map.
    ///
    /// Shrikumar et al., [Not Just a Black Box](https://arxiv.org/abs/1605.01713), 2016.
    GradientTimesInput,
}

impl ExplanationMethod {
    /// Name as figures write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LayerCam => "LayerCAM",
            Self::GradientTimesInput => "gradient × input",
        }
    }
}

/// A map of what in an image speaks for a class. What speaks against it is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// How it was made.
    pub method: ExplanationMethod,
    /// The class that it speaks for.
    pub class: usize,
    /// Rows of the map; the image usually has more.
    pub height: usize,
    /// Columns of the map.
    pub width: usize,
    /// Row by row, 255 where most speaks for the class, 0 where nothing does; base64 in JSON. All are 0 if nothing in
    /// the image speaks for the class.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub values: Vec<u8>,
}

impl Explanation {
    /// Scales a map, `[height, width]` row by row, so that its greatest value is 255. What is below 0 or not a number
    /// becomes 0.
    pub fn scaled(
        method: ExplanationMethod,
        class: usize,
        [height, width]: [usize; 2],
        map: &[f32],
    ) -> Self {
        let greatest = map.iter().copied().filter(|it| it.is_finite()).fold(0.0, f32::max);
        // A share first: 255 over the greatest of tiny values would be infinite. From above 255, which infinity is, and from
        // what is not a number, `as` makes 255 and 0.
        let scaled = |value: &f32| (value / greatest * 255.0).round() as u8;
        let values = map.iter().map(|it| if greatest > 0.0 { scaled(it) } else { 0 }).collect();
        Self { method, class, height, width, values }
    }

    /// Whether there are as many values as rows and columns ask for, at least one.
    pub fn is_whole(&self) -> bool {
        !self.values.is_empty() && self.height.checked_mul(self.width) == Some(self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(map: &[f32]) -> Vec<u8> {
        Explanation::scaled(ExplanationMethod::LayerCam, 3, [1, map.len()], map).values
    }

    #[test]
    fn the_greatest_value_becomes_255_and_what_is_below_0_becomes_0() {
        assert_eq!(scaled(&[0.5, 2.0, -7.0, 1e-9]), [64, 255, 0, 0]);
        assert_eq!(scaled(&[0.0, -1.0]), [0, 0]);
        assert_eq!(scaled(&[f32::NAN, 4.0, f32::INFINITY]), [0, 255, 255]);
        assert_eq!(scaled(&[4e-40, 1e-40, 0.0, -1e-40]), [255, 64, 0, 0]);
    }

    #[test]
    fn a_map_survives_json_and_tells_whether_it_is_whole() {
        let map =
            Explanation::scaled(ExplanationMethod::GradientTimesInput, 1, [2, 1], &[1.0, 0.5]);
        let json = serde_json::to_value(&map).unwrap();
        assert_eq!(json["method"], "gradient-times-input");
        assert!(json["values"].is_string());
        assert_eq!(serde_json::from_value::<Explanation>(json).unwrap(), map);
        assert!(map.is_whole());
        assert!(!Explanation { height: usize::MAX, ..map.clone() }.is_whole());
        assert!(!Explanation { height: 0, values: Vec::new(), ..map }.is_whole());
    }
}
