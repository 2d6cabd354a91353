use crate::Error;

/// Side of the patches that are sought, in pixels.
pub(crate) const PATCH: usize = 8;

/// How flow is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The finest size at which patches are sought: the frame's divided by 2 to this power. 0 is the frame itself. Larger
    /// than what the frame allows is the coarsest there is.
    pub finest: usize,
    /// Pixels from one patch to the next, 1..=8.
    pub stride: usize,
    /// Steps a patch may take in each of the two passes, 0..=100.
    pub steps: usize,
    /// The variational refinement after each size.
    pub refinement: Refinement,
}

/// How flow is refined: its energy of the whole picture becomes less:
/// Σ δ·ψ(brightness) + γ·ψ(slopes) + α·g·ψ(|∇u|² + |∇v|²), differences of the frames along the flow, ψ(s²) = √(s² + ε²)
/// (Brox et al. 2004).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refinement {
    /// Times the second frame is warped by the flow so far, 0..=100. 0 leaves the refinement out.
    pub warps: usize,
    /// Sweeps over the linear system of each warp, 1..=100.
    pub sweeps: usize,
    /// α: weight of smoothness, not negative.
    pub smoothness: f32,
    /// δ: weight of equal brightness, not negative.
    pub brightness: f32,
    /// γ: weight of equal slopes of brightness, not negative.
    pub slopes: f32,
    /// ω: over-relaxation of the sweeps, above 0 and below 2.
    pub relaxation: f32,
    /// Smoothness is weakened across edges of the first frame: by half where colours change by this many grey levels (of
    /// 255) per pixel. Infinite: nowhere.
    pub edges: f32,
    /// Whether red, green and blue are compared, or luma alone.
    pub colors: bool,
}

/// Settings with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// A quarter of the frame's sides and a light refinement.
    Fast,
    /// Half of the frame's sides.
    Medium,
    /// The frame's own pixels.
    #[default]
    Fine,
}

impl Preset {
    /// What it stands for.
    pub fn settings(self) -> Settings {
        let fine = Settings {
            finest: 0,
            stride: 3,
            steps: 2,
            refinement: Refinement::default(),
        };
        match self {
            Self::Fast => Settings {
                finest: 2,
                stride: 4,
                refinement: Refinement {
                    warps: 2,
                    colors: false,
                    ..fine.refinement
                },
                ..fine
            },
            Self::Medium => Settings { finest: 1, ..fine },
            Self::Fine => fine,
        }
    }
}

impl Default for Settings {
    /// Those of [`Preset::Fine`].
    fn default() -> Self {
        Preset::default().settings()
    }
}

impl Default for Refinement {
    fn default() -> Self {
        Self {
            warps: 3,
            sweeps: 7,
            smoothness: 10.0,
            brightness: 1.5,
            slopes: 5.0,
            relaxation: 1.85,
            edges: 10.0,
            colors: true,
        }
    }
}

impl Settings {
    /// Checks all ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first that is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        let r = &self.refinement;
        let not_negative = |value: f32| value >= 0.0 && value.is_finite();
        let rows = [
            (
                "stride",
                self.stride as f64,
                (1..=PATCH).contains(&self.stride),
                "1 to 8",
            ),
            ("steps", self.steps as f64, self.steps <= 100, "0 to 100"),
            ("warps", r.warps as f64, r.warps <= 100, "0 to 100"),
            (
                "sweeps",
                r.sweeps as f64,
                (1..=100).contains(&r.sweeps),
                "1 to 100",
            ),
            (
                "smoothness",
                r.smoothness.into(),
                not_negative(r.smoothness),
                "finite and not negative",
            ),
            (
                "brightness",
                r.brightness.into(),
                not_negative(r.brightness),
                "finite and not negative",
            ),
            (
                "slopes",
                r.slopes.into(),
                not_negative(r.slopes),
                "finite and not negative",
            ),
            (
                "relaxation",
                r.relaxation.into(),
                r.relaxation > 0.0 && r.relaxation < 2.0,
                "above 0 and below 2",
            ),
            ("edges", r.edges.into(), r.edges > 0.0, "above 0"),
        ];
        match rows.into_iter().find(|row| !row.2) {
            Some((setting, value, _, range)) => Err(Error::Setting {
                setting,
                value,
                range,
            }),
            None => Ok(()),
        }
    }
}
