//! What a file is, by its content, and what of it is kept. A picture is decoded and written anew: what is stored has
//! pixels and nothing else, so no place where it was taken, no name of a device, and nothing that hides behind them.

use crate::domain::AttachmentKind;
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

/// Pixels of a picture at most: more than telephones take.
const MAX_PIXELS: u64 = 50_000_000;
/// Bytes that a decoded picture may take, and what decoding may take beside it.
const MAX_DECODED: u64 = 256 * 1024 * 1024;
/// How good a JPEG is that is written, 1 to 100.
const JPEG_QUALITY: u8 = 88;
/// A PDF ends with its mark within so many bytes (ISO 32000-1, annex H).
const PDF_TAIL: usize = 1_024;

/// Why a file is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something else than a picture or a PDF.
    #[error("only pictures (JPEG, PNG, WebP) and PDF are taken")]
    Kind,
    /// It begins like one and cannot be read.
    #[error("the file is damaged")]
    Damaged,
    /// More pixels than are decoded.
    #[error("the picture has more than {} million pixels", MAX_PIXELS / 1_000_000)]
    TooManyPixels,
}

/// What a file is and what is kept of it. Takes as long as decoding and encoding take, up to seconds.
///
/// # Errors
/// Why it is not kept.
pub fn clean(bytes: &[u8]) -> Result<(AttachmentKind, Vec<u8>), Refused> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => picture(bytes, ImageFormat::Jpeg),
        [0x89, b'P', b'N', b'G', ..] => picture(bytes, ImageFormat::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => picture(bytes, ImageFormat::WebP),
        _ if bytes.starts_with(b"%PDF-") => {
            let tail = &bytes[bytes.len().saturating_sub(PDF_TAIL)..];
            let is_whole = tail.windows(5).any(|window| window == b"%%EOF");
            if is_whole { Ok((AttachmentKind::Pdf, bytes.to_vec())) } else { Err(Refused::Damaged) }
        }
        _ => Err(Refused::Kind),
    }
}

fn picture(bytes: &[u8], format: ImageFormat) -> Result<(AttachmentKind, Vec<u8>), Refused> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_DECODED {
        return Err(Refused::TooManyPixels);
    }
    // Which way up it is stands beside the pixels, and would be lost with the rest.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(refused)?;
    decoded.apply_orientation(orientation);
    // A photograph as PNG would be many times as large.
    let kind = match format {
        ImageFormat::Png => AttachmentKind::Png,
        _ if decoded.color().has_alpha() => AttachmentKind::Png,
        _ => AttachmentKind::Jpeg,
    };
    let mut kept = Vec::new();
    let written = if kind == AttachmentKind::Jpeg {
        JpegEncoder::new_with_quality(&mut kept, JPEG_QUALITY).encode_image(&decoded.into_rgb8())
    } else if decoded.color().has_alpha() {
        decoded.into_rgba8().write_to(&mut Cursor::new(&mut kept), ImageFormat::Png)
    } else {
        decoded.into_rgb8().write_to(&mut Cursor::new(&mut kept), ImageFormat::Png)
    };
    written.map_err(refused)?;
    Ok((kind, kept))
}

fn refused(error: ImageError) -> Refused {
    match error {
        ImageError::Limits(_) => Refused::TooManyPixels,
        _ => Refused::Damaged,
    }
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
