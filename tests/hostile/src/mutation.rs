//! Random changes of valid inputs, from a seed.
//!
//! Plain mutation rather than strategies that build inputs: the readers want nearly valid bytes in
//! nine formats, and what breaks them (a size that is a lie, a cut, a number that is too large) is
//! the same change in all of them.

use rand::{Rng, RngExt};

/// Texts that numbers in recipes and records are replaced by.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "-0.0",
    "1e-400",
    "1e308",
    "1e999",
    "18446744073709551615",
    "4294967296",
    "9223372036854775807",
    "null",
    "nan",
    "inf",
    "99999999999999999999999999",
];

/// One to four changes of one of the seeds; sometimes it is joined with another.
///
/// # Panics
///
/// If there is no seed.
pub fn mutated(seeds: &[Vec<u8>], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(1..=4) {
        change(&mut bytes, seeds, rng);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut impl Rng) {
    let at = rng.random_range(0..=bytes.len());
    let order = rng.random_range(0..8);
    let length = rng.random_range(1..=1_usize << order);
    let end = (at + length).min(bytes.len());
    match rng.random_range(0..12) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = rng.random(),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        5 => drop(bytes.splice(at..at, (0..length).map(|_| rng.random::<u8>()))),
        // A size, big or little endian.
        6 => {
            let value: u32 =
                [0, 1, 0x7fff_ffff, u32::MAX, 1 << 31, rng.random()][rng.random_range(0..6)];
            let value = if rng.random() { value.to_be_bytes() } else { value.to_le_bytes() };
            let place = at & !3;
            if place + 4 <= bytes.len() {
                bytes[place..place + 4].copy_from_slice(&value);
            }
        }
        7 => {
            let other = &seeds[rng.random_range(0..seeds.len())];
            let cut = rng.random_range(0..=other.len());
            bytes.truncate(at);
            bytes.extend_from_slice(&other[cut..]);
        }
        _ => replace_number(bytes, at, rng),
    }
}

/// Replaces the next number behind `at`.
fn replace_number(bytes: &mut Vec<u8>, at: usize, rng: &mut impl Rng) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|start| at + start)
    else {
        return;
    };
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'-' | b'_');
    let length = bytes[start..].iter().take_while(|byte| is_part(byte)).count();
    let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
    bytes.splice(start..start + length, number.bytes());
}
