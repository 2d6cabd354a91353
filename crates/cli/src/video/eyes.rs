//! Films for two eyes, whose frames hold two pictures.

use clap::ValueEnum;
use impasto::Picture;
use impasto::compute::Window;

/// What a frame shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eyes {
    /// One picture.
    One,
    /// That of the left eye left of that of the right one.
    SideBySide,
    /// That of the left eye above that of the right one.
    TopBottom,
}

/// What `--stereo` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stereo {
    /// Side by side.
    Sbs,
    /// Top and bottom.
    Tb,
}

impl From<Option<Stereo>> for Eyes {
    fn from(stereo: Option<Stereo>) -> Self {
        match stereo {
            None => Self::One,
            Some(Stereo::Sbs) => Self::SideBySide,
            Some(Stereo::Tb) => Self::TopBottom,
        }
    }
}

impl Eyes {
    /// How many pictures a frame has.
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::SideBySide | Self::TopBottom => 2,
        }
    }

    /// Width and height of one picture of frames of a size; a line that is over belongs to none.
    pub fn one(self, (width, height): (usize, usize)) -> (usize, usize) {
        match self {
            Self::One => (width, height),
            Self::SideBySide => (width / 2, height),
            Self::TopBottom => (width, height / 2),
        }
    }

    /// Width and height of frames of pictures of a size.
    pub fn both(self, (width, height): (usize, usize)) -> (usize, usize) {
        match self {
            Self::One => (width, height),
            Self::SideBySide => (2 * width, height),
            Self::TopBottom => (width, 2 * height),
        }
    }

    /// The pictures of a frame, the left eye's first.
    ///
    /// # Errors
    /// If there is not a pixel for each.
    pub fn split(self, frame: Picture) -> impasto::Result<Vec<Picture>> {
        if self == Self::One {
            return Ok(vec![frame]);
        }
        let (width, height) = self.one((frame.width(), frame.height()));
        let views = [0, 1].map(|eye: usize| {
            let (top, left) = match self {
                Self::TopBottom => (eye * height, 0),
                _ => (0, eye * width),
            };
            Ok(frame.cropped(&Window {
                top,
                left,
                height,
                width,
            })?)
        });
        views.into_iter().collect()
    }

    /// A frame of its pictures, all of one size.
    ///
    /// # Errors
    /// If one is missing.
    pub fn join(self, views: Vec<Picture>) -> impasto::Result<Picture> {
        let (Some(first), true) = (views.first(), self != Self::One) else {
            let one = views.into_iter().next();
            return one.map_or_else(|| Ok(Picture::new(0, 0, vec![])?), Ok);
        };
        let (width, height) = (first.width(), first.height());
        let joined = |planes: Vec<&[f32]>| -> Vec<f32> {
            match self {
                Self::SideBySide => (0..height)
                    .flat_map(|y| {
                        planes
                            .iter()
                            .flat_map(move |plane| &plane[y * width..][..width])
                    })
                    .copied()
                    .collect(),
                _ => planes.concat(),
            }
        };
        let plane = |channel: usize| {
            let planes = views
                .iter()
                .map(|view| &view.rgb()[channel * width * height..][..width * height]);
            joined(planes.collect())
        };
        let (wide, high) = self.both((width, height));
        let frame = Picture::new(wide, high, (0..3).flat_map(plane).collect())?;
        let alpha: Option<Vec<_>> = views.iter().map(Picture::alpha).collect();
        match alpha {
            Some(planes) => Ok(frame.with_alpha(joined(planes))?),
            None => Ok(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_apart_and_together() {
        let values = (0..3 * 6 * 4).map(|at| at as f32 / 100.0).collect();
        let alpha = (0..24).map(|at| at as f32 / 24.0).collect();
        let frame = Picture::new(6, 4, values)
            .unwrap()
            .with_alpha(alpha)
            .unwrap();
        for (eyes, size) in [
            (Eyes::One, (6, 4)),
            (Eyes::SideBySide, (3, 4)),
            (Eyes::TopBottom, (6, 2)),
        ] {
            let views = eyes.split(frame.clone()).unwrap();
            assert_eq!(views.len(), eyes.count());
            assert!(
                views
                    .iter()
                    .all(|view| (view.width(), view.height()) == size)
            );
            assert_eq!(eyes.both(size), (6, 4));
            assert_eq!(eyes.join(views).unwrap(), frame);
        }
        let right = &Eyes::SideBySide.split(frame.clone()).unwrap()[1];
        assert_eq!(right.rgb()[0], frame.rgb()[3]);
        assert!(
            Eyes::TopBottom
                .split(Picture::new(3, 1, vec![0.0; 9]).unwrap())
                .is_err()
        );
    }
}
