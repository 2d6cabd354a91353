/// Why something was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A picture, flow or mask has no pixels, or another number of values than its shape says.
    #[error("{what} of shape {shape:?} cannot be made of {values} values")]
    Shape {
        /// What was to be made.
        what: &'static str,
        /// `[c, h, w]` or `[h, w]`.
        shape: Vec<usize>,
        /// How many values came.
        values: usize,
    },
    /// Two things that belong to the same pixels have different sizes.
    #[error("{what} is {}×{} (width × height) where {}×{} is needed", got.0, got.1, needed.0, needed.1)]
    Size {
        /// What is of another size.
        what: &'static str,
        /// Its width and height.
        got: (usize, usize),
        /// Width and height of what it belongs to.
        needed: (usize, usize),
    },
    /// A setting is out of its range.
    #[error("{setting} is {value}, and has to be {range}")]
    Setting {
        /// The field's name.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What would be right.
        range: &'static str,
    },
    /// A file is no flow in Middlebury's format.
    #[error("this is no .flo file: {0}")]
    Flo(String),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
