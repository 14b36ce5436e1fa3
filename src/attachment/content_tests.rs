use super::{Refused, clean};
use crate::domain::AttachmentKind;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder as _, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use std::io::Cursor;

/// A picture that is red on its left half and blue on its right.
fn halves(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([230, 10, 10]) } else { Rgb([10, 10, 230]) })
}

fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// A JPEG with Exif: that it is to be turned by a quarter clockwise, and who made it.
fn photograph() -> Vec<u8> {
    let maker = b"Canary Phone\0";
    let mut exif = b"II*\0\x08\0\0\0\x02\0".to_vec();
    exif.extend(b"\x0f\x01\x02\0");
    exif.extend((maker.len() as u32).to_le_bytes());
    exif.extend(38u32.to_le_bytes());
    exif.extend(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0");
    exif.extend(0u32.to_le_bytes());
    exif.extend(maker);
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.encode_image(&halves(64, 32)).unwrap();
    bytes
}

fn holds(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

#[test]
fn a_photograph_keeps_its_pixels_the_right_way_up_and_nothing_else() {
    let original = photograph();
    assert!(holds(&original, b"Canary Phone"), "the test's own picture has it");
    let (kind, kept) = clean(&original).unwrap();
    assert_eq!(kind, AttachmentKind::Jpeg);
    assert!(!holds(&kept, b"Canary Phone") && !holds(&kept, b"Exif"));
    let seen = image::load_from_memory(&kept).unwrap().into_rgb8();
    assert_eq!(seen.dimensions(), (32, 64), "it was turned");
    let (above, below) = (seen.get_pixel(16, 8), seen.get_pixel(16, 56));
    assert!(above[0] > 200 && below[2] > 200, "left is up: {above:?} {below:?}");
}

#[test]
fn what_hides_behind_a_picture_is_gone() {
    let mut bytes = written(&DynamicImage::ImageRgb8(halves(8, 8)), ImageFormat::Png);
    bytes.extend(b"<script>alert(1)</script>");
    let (kind, kept) = clean(&bytes).unwrap();
    assert_eq!(kind, AttachmentKind::Png);
    assert!(!holds(&kept, b"script"));
}

#[test]
fn a_webp_becomes_what_every_desk_shows() {
    let photo = written(&DynamicImage::ImageRgb8(halves(16, 16)), ImageFormat::WebP);
    assert_eq!(clean(&photo).unwrap().0, AttachmentKind::Jpeg);
    let glass = DynamicImage::ImageRgba8(RgbaImage::from_pixel(4, 4, Rgba([1, 2, 3, 40])));
    let (kind, kept) = clean(&written(&glass, ImageFormat::WebP)).unwrap();
    assert_eq!(kind, AttachmentKind::Png);
    assert_eq!(image::load_from_memory(&kept).unwrap().into_rgba8().get_pixel(0, 0)[3], 40, "it is seen through");
}

#[test]
fn other_kinds_are_told_by_what_they_are_not_by_their_names() {
    for bytes in [
        &b""[..],
        b"x",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a",
        b"MZ\x90",
        b"PK\x03\x04",
        b"RIFF\0\0\0\0WAVE",
    ] {
        assert_eq!(clean(bytes), Err(Refused::Kind), "{bytes:?}");
    }
    let whole = b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer\n%%EOF\n";
    assert_eq!(clean(whole), Ok((AttachmentKind::Pdf, whole.to_vec())));
    assert_eq!(clean(b"%PDF-1.7 and then nothing"), Err(Refused::Damaged));
    assert_eq!(clean(&photograph()[..200]), Err(Refused::Damaged));
    assert_eq!(clean(&[0xff, 0xd8, 0xff, 0xe0]), Err(Refused::Damaged));
}

#[test]
fn a_small_file_of_a_huge_picture_is_not_decoded() {
    // The header of a PNG with 60,000 by 60,000 pixels; whether the rest is there is not looked at before.
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes).write_image(&[0; 3], 1, 1, image::ExtendedColorType::Rgb8).unwrap();
    let huge = 60_000u32.to_be_bytes();
    bytes[16..20].copy_from_slice(&huge);
    bytes[20..24].copy_from_slice(&huge);
    let checked = crc(&bytes[12..29]).to_be_bytes();
    bytes[29..33].copy_from_slice(&checked);
    assert_eq!(clean(&bytes), Err(Refused::TooManyPixels));
}

/// The check of a PNG's chunk (ISO 15948, annex D).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |rest, byte| {
        (0..8)
            .fold(rest ^ u32::from(*byte), |rest, _| if rest & 1 == 1 { 0xedb8_8320 ^ (rest >> 1) } else { rest >> 1 })
    })
}
