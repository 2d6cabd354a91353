//! What is kept of frames for the page about a film.

use super::looking::Looked;
use impasto::picture::{Filter, fit_long_side};
use impasto::video::Known;
use impasto::{FilmFrame, Picture, Shown};
use std::time::Instant;

/// Frames that are shown: from half as many to this.
const SHOWN: usize = 24;
/// Their long side in pixels.
const SIDE: usize = 360;

/// What is told about a film in the end.
pub struct Account {
    pub began: Instant,
    /// Width and height of its frames.
    pub size: (usize, usize),
    pub frames: Vec<FilmFrame>,
    pub strip: Vec<Shown>,
    /// Every so many frames one is shown.
    every: usize,
}

impl Account {
    /// Nothing is painted yet of a film of a size.
    pub fn new(size: (usize, usize)) -> Self {
        Self {
            began: Instant::now(),
            size,
            frames: Vec::new(),
            strip: Vec::new(),
            every: 1,
        }
    }

    /// A frame as it is shown.
    pub fn small(frame: &Picture) -> Picture {
        let (width, height) = (frame.width(), frame.height());
        let side = SIDE.min(width.max(height));
        let (width, height) = fit_long_side(width, height, side);
        frame.resized(width, height, Filter::Bicubic)
    }

    /// Takes a frame that was painted.
    pub fn take(&mut self, looked: &Looked, known: Option<Known>, painted: &Picture) {
        let shows = self.frames.len().is_multiple_of(self.every);
        self.frames.push(FilmFrame {
            number: looked.number,
            begins: looked.begins,
            known,
        });
        if let (true, Some(content)) = (shows, &looked.content) {
            self.strip.push(Shown {
                number: looked.number,
                content: content.clone(),
                painted: Self::small(painted),
            });
        }
        // How long the film is, nobody may know: of too many, every other one goes.
        if self.strip.len() > SHOWN {
            let mut place = 0;
            self.strip.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.every *= 2;
        }
    }
}
