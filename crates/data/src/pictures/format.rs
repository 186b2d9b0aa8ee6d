//! The formats that are read, told by a file's content.

use std::fmt;

/// A format of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PictureFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG, in a file of JFIF or Exif.
    Jpeg,
    /// WebP, with or without loss.
    WebP,
    /// Windows' bitmap.
    Bmp,
    /// Graphics Interchange Format, of which the first frame is read.
    Gif,
}

impl PictureFormat {
    /// The format that a file begins like, if it is one that is read. The name of the file does not count.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            // Two letters are little: a text may begin so. The header's length is a small number.
            [b'B', b'M', rest @ ..] if matches!(rest.get(12..16), Some([12..=124, 0, 0, 0])) => {
                Some(Self::Bmp)
            }
            _ => None,
        }
    }

    /// What names of its files end with, in lower case.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg", "jfif"],
            Self::WebP => &["webp"],
            Self::Bmp => &["bmp"],
            Self::Gif => &["gif"],
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
        }
    }
}

impl fmt::Display for PictureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What content looks like that begins like no format that is read.
pub(super) fn appearance(bytes: &[u8]) -> String {
    let start = bytes.get(..1024).unwrap_or(bytes);
    let is_text =
        |text: &str| text.chars().all(|letter| !letter.is_control() || letter.is_whitespace());
    // The last letter may be cut in two.
    let text = start.utf8_chunks().next().filter(|chunk| chunk.valid().len() + 4 > start.len());
    match image::guess_format(bytes) {
        _ if bytes.is_empty() => "an empty file".to_owned(),
        _ if bytes.iter().all(|&byte| byte == 0) => "nothing but zeros".to_owned(),
        _ if text.is_some_and(|chunk| is_text(chunk.valid())) => "text".to_owned(),
        Ok(format)
            if !["PNG", "JPEG", "WebP", "BMP", "GIF"].contains(&format!("{format:?}").as_str()) =>
        {
            format!("what looks like {format:?}")
        }
        _ => "something else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_called_what_it_looks_like() {
        assert_eq!(appearance(b""), "an empty file");
        assert_eq!(appearance(&[0; 100]), "nothing but zeros");
        assert_eq!(appearance("<html>ä</html>\n".as_bytes()), "text");
        let umlauts = "ä".repeat(2000);
        assert_eq!(appearance(&umlauts.as_bytes()[..1025]), "text");
        assert_eq!(appearance(b"II*\0\x08\0\0\0\0\0\xff"), "what looks like Tiff");
        assert_eq!(appearance(&[0x7f, b'E', b'L', b'F', 0, 1, 2, 200]), "something else");
    }

    #[test]
    fn a_text_that_begins_like_a_bitmap_is_no_bitmap() {
        assert_eq!(PictureFormat::of(b"BMW and other cars of this age"), None);
        assert_eq!(
            PictureFormat::of(b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"),
            Some(PictureFormat::Bmp)
        );
    }
}
