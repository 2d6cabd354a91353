//! What GIF and APNG draw on: frames are parts that are laid over what is there.

use crate::frame::{Channels, Picture, Samples};

/// What happens to a part before the next one is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispose {
    Keep,
    Clear,
    Restore,
}

/// A part of a canvas.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

pub struct Canvas {
    width: usize,
    height: usize,
    /// RGBA, not premultiplied; transparent at first.
    pixels: Vec<u8>,
    /// What is done before the next part, and what there was under this one if it is wanted back.
    pending: Option<(Part, Dispose, Vec<u8>)>,
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Self {
        Canvas {
            width,
            height,
            pixels: vec![0; width * height * 4],
            pending: None,
        }
    }

    /// Draws a part of RGBA pixels. `over`: what is transparent in it lets through what is there; otherwise it replaces it.
    /// What lies beside the canvas is cut off.
    pub fn draw(&mut self, part: Part, pixels: &[u8], over: bool, dispose: Dispose) {
        self.settle();
        let before = match dispose {
            Dispose::Restore => self.pixels.clone(),
            _ => Vec::new(),
        };
        let columns = part.width.min(self.width.saturating_sub(part.left));
        let rows = part.height.min(self.height.saturating_sub(part.top));
        // What lies beside the canvas altogether has no place on it to begin at.
        let rows = if columns == 0 { 0 } else { rows };
        for (y, from) in pixels
            .chunks_exact(part.width.max(1) * 4)
            .take(rows)
            .enumerate()
        {
            let from = &from[..columns * 4];
            let to =
                &mut self.pixels[((part.top + y) * self.width + part.left) * 4..][..columns * 4];
            match over {
                false => to.copy_from_slice(from),
                true => {
                    let pixels = to.chunks_exact_mut(4).zip(from.chunks_exact(4));
                    pixels.for_each(|(to, from)| lay_over(to, from));
                }
            }
        }
        let shown = Part {
            width: columns,
            height: rows,
            ..part
        };
        self.pending = Some((shown, dispose, before));
    }

    fn settle(&mut self) {
        match self.pending.take() {
            Some((_, Dispose::Restore, before)) => self.pixels = before,
            Some((part, Dispose::Clear, _)) => {
                for y in 0..part.height {
                    let start = ((part.top + y) * self.width + part.left) * 4;
                    self.pixels[start..][..part.width * 4].fill(0);
                }
            }
            Some((_, Dispose::Keep, _)) | None => (),
        }
    }

    /// What is seen; without opacity if all of it is opaque and `opaque` says that the film may do without.
    pub fn picture(&self, opaque: bool) -> Picture {
        let (channels, samples) = match opaque {
            false => (Channels::Rgba, self.pixels.clone()),
            true => {
                let pixels = self.pixels.chunks_exact(4);
                (
                    Channels::Rgb,
                    pixels
                        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
                        .collect(),
                )
            }
        };
        Picture {
            width: self.width,
            height: self.height,
            channels,
            samples: Samples::Eight(samples),
        }
    }

    /// Whether nothing shows through.
    pub fn is_opaque(&self) -> bool {
        self.pixels.chunks_exact(4).all(|pixel| pixel[3] == 255)
    }
}

/// Porter and Duff's “over” of colours that are not premultiplied.
fn lay_over(to: &mut [u8], from: &[u8]) {
    match from[3] {
        255 => to.copy_from_slice(from),
        0 => (),
        opacity => {
            let above = u32::from(opacity) * 255;
            let below = u32::from(to[3]) * (255 - u32::from(opacity));
            let sum = above + below;
            for channel in 0..3 {
                let mixed = u32::from(from[channel]) * above + u32::from(to[channel]) * below;
                to[channel] = ((mixed + sum / 2) / sum) as u8;
            }
            to[3] = ((sum + 127) / 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files may say that a part lies anywhere.
    #[test]
    fn what_lies_beside_the_canvas_is_cut_off() {
        let mut canvas = Canvas::new(3, 2);
        let red = [255, 0, 0, 255].repeat(4);
        for (left, top) in [(0, 0), (2, 1), (3, 0), (0, 2), (60_000, 1), (1, 60_000)] {
            let (width, height) = (2, 2);
            let part = Part {
                left,
                top,
                width,
                height,
            };
            for dispose in [Dispose::Clear, Dispose::Restore, Dispose::Keep] {
                canvas.draw(part, &red, left % 2 == 0, dispose);
            }
        }
        canvas.settle();
        let seen = canvas.picture(false).samples;
        let Samples::Eight(seen) = seen else {
            panic!("eight bits")
        };
        // Two by two at the left, and a corner.
        let painted: Vec<bool> = seen.chunks_exact(4).map(|pixel| pixel[3] == 255).collect();
        assert_eq!(painted, [true, true, false, true, true, true]);
    }
}
