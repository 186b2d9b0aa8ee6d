//! Drawing: the strokes of a digit become the pixels of one image.

use super::dice::Dice;
use super::strokes::{GLYPHS, Glyph, Point, Stroke};

/// Rows and columns of each image.
pub const SIDE: usize = 28;

/// Straight pieces that a curve is drawn with between two of its points.
const PIECES: usize = 6;
/// Nodes of the lattice that bends a digit, along each side.
const LATTICE: usize = 6;
/// Free space kept between the middle of a stroke and the edge of the image, in pixels.
const MARGIN: f32 = 2.0;

/// Draws one image of `digit`: [`SIDE`] × [`SIDE`] bytes, 0 is black.
pub(super) fn draw(digit: usize, dice: &mut Dice, image: &mut [u8]) {
    let ways = GLYPHS[digit];
    let mut paths = paths(ways[dice.below(ways.len())]);
    Bend::draw(dice).apply(&mut paths);
    turn_and_stretch(&mut paths, dice);
    place(&mut paths, dice);

    let mut canvas = Canvas::default();
    canvas.draw_digit(&paths, dice);
    if dice.chance(0.2) {
        canvas.erase_line(dice);
    }
    canvas.blur(dice.between(0.0, 0.7));
    canvas.add_specks(dice);
    canvas.expose(dice, image);
}

/// The strokes as chains of short straight pieces.
fn paths(glyph: Glyph) -> Vec<Vec<Point>> {
    glyph.iter().map(|stroke| smooth(stroke)).collect()
}

/// A Catmull-Rom spline through the points.
fn smooth(points: Stroke) -> Vec<Point> {
    let (first, last) = (0, points.len() - 1);
    let closed = points[first] == points[last];
    let mut path = vec![points[first]];
    for i in first..last {
        let (b, c) = (points[i], points[i + 1]);
        let a = if i > first {
            points[i - 1]
        } else if closed {
            points[last - 1]
        } else {
            b
        };
        let d = if i + 1 < last {
            points[i + 2]
        } else if closed {
            points[first + 1]
        } else {
            c
        };
        path.extend((1..=PIECES).map(|piece| {
            let t = piece as f32 / PIECES as f32;
            (spline([a.0, b.0, c.0, d.0], t), spline([a.1, b.1, c.1, d.1], t))
        }));
    }
    path
}

/// Value at `t` of a curve from `b`, at `t = 0`, to `c`, at `t = 1`, with the slopes that `a` and
/// `d` suggest.
fn spline([a, b, c, d]: [f32; 4], t: f32) -> f32 {
    let (linear, square) = (c - a, 2.0 * a - 5.0 * b + 4.0 * c - d);
    let cube = 3.0 * b - a - 3.0 * c + d;
    b + 0.5 * t * (linear + t * (square + t * cube))
}

/// A smooth field of displacements: a quadratic B-spline over a lattice of random ones.
struct Bend([[Point; LATTICE]; LATTICE]);

impl Bend {
    fn draw(dice: &mut Dice) -> Self {
        let strength = dice.between(0.03, 0.11);
        let mut lattice = [[(0.0, 0.0); LATTICE]; LATTICE];
        for node in lattice.as_flattened_mut() {
            *node = (strength * dice.normal(), strength * dice.normal());
        }
        Self(lattice)
    }

    fn apply(&self, paths: &mut [Vec<Point>]) {
        for point in paths.iter_mut().flatten() {
            let ((column, across), (row, down)) = (weights(point.0), weights(point.1));
            let (mut x, mut y) = *point;
            for (nodes, down) in self.0[row..].iter().zip(down) {
                for (node, across) in nodes[column..].iter().zip(across) {
                    x += down * across * node.0;
                    y += down * across * node.1;
                }
            }
            *point = (x, y);
        }
    }
}

/// The first of the three lattice nodes that act at `position`, and how strongly each does.
fn weights(position: f32) -> (usize, [f32; 3]) {
    let spans = LATTICE - 2;
    let scaled = (position * spans as f32).clamp(0.0, spans as f32);
    let span = (scaled as usize).min(spans - 1);
    let t = scaled - span as f32;
    (span, [0.5 * (1.0 - t) * (1.0 - t), 0.5 + t * (1.0 - t), 0.5 * t * t])
}

/// Slant, rotation and size, from the unit box to pixels.
fn turn_and_stretch(paths: &mut [Vec<Point>], dice: &mut Dice) {
    let height = dice.between(15.5, 21.5);
    let width = height * dice.between(0.55, 0.95);
    let slant = dice.between(-0.12, 0.38);
    // Up to 16 degrees: sine and cosine from the tangent of half the angle.
    let half = dice.between(-0.14, 0.14);
    let (cos, sin) = ((1.0 - half * half) / (1.0 + half * half), 2.0 * half / (1.0 + half * half));
    for point in paths.iter_mut().flatten() {
        let (x, y) = (width * (point.0 - 0.5), height * (point.1 - 0.5));
        let x = x - slant * y;
        *point = (cos * x - sin * y, sin * x + cos * y);
    }
}

/// Moves the digit to the middle of the image, or up to two and a half pixels beside it.
fn place(paths: &mut [Vec<Point>], dice: &mut Dice) {
    let mut shift = |coordinate: fn(&Point) -> f32| {
        let values = || paths.iter().flatten().map(coordinate);
        let low = values().fold(f32::INFINITY, f32::min);
        let high = values().fold(f32::NEG_INFINITY, f32::max);
        let (least, most) = (MARGIN - low, SIDE as f32 - MARGIN - high);
        let middle = 0.5 * (least + most);
        // A digit too large for the margins stays in the middle.
        let room = (most - middle).clamp(0.0, 2.5);
        middle + room * dice.between(-1.0, 1.0)
    };
    let (right, down) = (shift(|point| point.0), shift(|point| point.1));
    for point in paths.iter_mut().flatten() {
        *point = (point.0 + right, point.1 + down);
    }
}

/// Ink on paper, 0 to 1 for each pixel.
struct Canvas([[f32; SIDE]; SIDE]);

impl Default for Canvas {
    fn default() -> Self {
        Self([[0.0; SIDE]; SIDE])
    }
}

/// A piece of a pen stroke: from where to where, and half its width at both ends, in pixels.
struct Piece {
    ends: [Point; 2],
    radii: [f32; 2],
    /// Width of the fading edge, in pixels; 1 is plain anti-aliasing.
    softness: f32,
}

impl Canvas {
    fn draw_digit(&mut self, paths: &[Vec<Point>], dice: &mut Dice) {
        let radius = dice.between(0.65, 1.6);
        // The pen presses harder at the start or at the end of each stroke.
        let press = dice.between(-0.3, 0.3);
        let softness = dice.between(1.0, 1.8);
        for path in paths {
            let at = |i: usize| radius * (1.0 + press * (2.0 * i as f32 / path.len() as f32 - 1.0));
            for (i, ends) in path.windows(2).enumerate() {
                let piece = Piece { ends: [ends[0], ends[1]], radii: [at(i), at(i + 1)], softness };
                self.touch(&piece, |ink, coverage| ink.max(coverage));
            }
        }
    }

    /// Applies `change` to the ink of each pixel near the piece, with how far the piece covers it.
    fn touch(&mut self, piece: &Piece, change: impl Fn(f32, f32) -> f32) {
        let ([(x0, y0), (x1, y1)], [r0, r1]) = (piece.ends, piece.radii);
        let reach = r0.max(r1) + 0.5 * piece.softness;
        let range = |a: f32, b: f32| {
            let clip = |value: f32| value.clamp(0.0, SIDE as f32) as usize;
            clip(a.min(b) - reach - 0.5)..clip(a.max(b) + reach + 0.5)
        };
        let (dx, dy) = (x1 - x0, y1 - y0);
        let length = (dx * dx + dy * dy).max(1e-6);
        for row in range(y0, y1) {
            for column in range(x0, x1) {
                let (x, y) = (column as f32 + 0.5 - x0, row as f32 + 0.5 - y0);
                let along = ((x * dx + y * dy) / length).clamp(0.0, 1.0);
                let (x, y) = (x - along * dx, y - along * dy);
                let distance = (x * x + y * y).sqrt() - (r0 + along * (r1 - r0));
                let coverage = (0.5 - distance / piece.softness).clamp(0.0, 1.0);
                let ink = &mut self.0[row][column];
                *ink = change(*ink, coverage);
            }
        }
    }

    /// A thin line across the digit where the pen left little ink.
    fn erase_line(&mut self, dice: &mut Dice) {
        let mut inside = || dice.between(4.0, 24.0);
        let ends = [(inside(), inside()), (inside(), inside())];
        let radius = dice.between(0.2, 0.6);
        let piece = Piece { ends, radii: [radius; 2], softness: 1.0 };
        let left = dice.between(0.0, 0.5);
        self.touch(&piece, |ink, coverage| ink * (1.0 - coverage * (1.0 - left)));
    }

    /// Mixes each pixel with its neighborhood, weighted 1 2 1; `share` of the result is blurred.
    fn blur(&mut self, share: f32) {
        let mut across = self.0;
        for (new, old) in across.iter_mut().zip(&self.0) {
            for column in 0..SIDE {
                let (left, right) = (column.saturating_sub(1), (column + 1).min(SIDE - 1));
                new[column] = 0.25 * (old[left] + old[right]) + 0.5 * old[column];
            }
        }
        for (row, line) in self.0.iter_mut().enumerate() {
            let above = &across[row.saturating_sub(1)];
            let below = &across[(row + 1).min(SIDE - 1)];
            let neighbors = above.iter().zip(below).zip(&across[row]);
            for (ink, ((above, below), middle)) in line.iter_mut().zip(neighbors) {
                let blurred = 0.25 * (above + below) + 0.5 * middle;
                *ink += share * (blurred - *ink);
            }
        }
    }

    /// Adds up to four specks and hairs.
    fn add_specks(&mut self, dice: &mut Dice) {
        for _ in 0..dice.below(5) {
            let start = (dice.between(0.0, 28.0), dice.between(0.0, 28.0));
            let end = (start.0 + dice.between(-3.0, 3.0), start.1 + dice.between(-3.0, 3.0));
            let radius = dice.between(0.2, 0.8);
            let ink = dice.between(0.2, 0.8);
            let piece = Piece { ends: [start, end], radii: [radius; 2], softness: 1.0 };
            self.touch(&piece, |old, coverage| old.max(ink * coverage));
        }
    }

    /// Turns ink into bytes, with paper that is not quite black and noise.
    fn expose(&self, dice: &mut Dice, image: &mut [u8]) {
        let ink = dice.between(140.0, 255.0);
        let paper = dice.between(0.0, 30.0);
        let noise = dice.between(1.0, 19.0);
        for (byte, covered) in image.iter_mut().zip(self.0.as_flattened()) {
            let bright = paper + (ink - paper) * covered + noise * dice.normal();
            *byte = (bright + 0.5).clamp(0.0, 255.0) as u8;
        }
    }
}
