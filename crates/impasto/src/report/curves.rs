//! The losses of a run as curves: an SVG without any text, and labels of HTML that keep their size on any screen.
//!
//! Drawn are the weighted terms and their sum, each as it was before the step. The axis of losses is logarithmic
//! if they span a factor of ten or more; what lies further than six decades below the largest, and zero, is drawn
//! on the floor. Values that are no numbers are left out.

use super::Report;
use super::text::{escape, short, significant};
use std::fmt::Write;

/// Size of the drawing in its own units; it is stretched to the place it has.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 400.0;

/// Points of a curve above which it is thinned out: one for each unit, more than a screen shows.
const POINTS: usize = 1000;

/// How far below the largest value a logarithmic axis goes.
const DECADES: i32 = 6;

/// Values beyond are not drawn: their logarithms and margins would leave the range of f64.
const HUGE: f64 = 1e300;

/// One curve, and a row of the legend.
struct Curve {
    name: String,
    /// Classes of the style sheet.
    class: String,
    weight: Option<f64>,
    /// A value for each step, in order.
    values: Vec<f64>,
}

/// The figure and its legend as HTML; a sentence instead if no step was taken.
pub(super) fn figure(report: &Report) -> String {
    let count = report.steps.len();
    if count == 0 {
        return "<p>No step was taken.</p>".into();
    }
    let curves = curves(report);
    let axis = Axis::of(curves.iter().flat_map(|curve| &curve.values));
    let segments = segments(report);
    let mut out = String::new();
    let (first, last) = (report.steps[0].total, report.steps[count - 1].total);
    let _ = write!(
        out,
        "<div class=\"plot\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"Losses over {count} steps; the total goes from {} to {}\">",
        significant(first),
        significant(last)
    );
    let ticks = axis.ticks();
    for tick in &ticks {
        let y = HEIGHT * (1.0 - axis.place(*tick));
        let _ = write!(out, "<path class=\"grid\" d=\"M0 {y:.1}H{WIDTH}\"/>");
    }
    for &(start, _) in segments.iter().skip(1) {
        let x = WIDTH * start as f64 / count as f64;
        let _ = write!(out, "<path class=\"border\" d=\"M{x:.1} 0V{HEIGHT}\"/>");
    }
    // The total last, so that it lies on top.
    for curve in curves.iter().rev() {
        let _ = write!(
            out,
            "<path class=\"{}\" d=\"{}\"><title>{}</title></path>",
            curve.class,
            line(&curve.values, &segments, &axis),
            escape(&curve.name)
        );
    }
    out.push_str("</svg>");
    labels(&mut out, report, &segments, &axis, &ticks);
    out.push_str("</div>");
    legend(&mut out, &curves, &axis);
    out
}

/// The total, then the terms in the order of the report.
fn curves(report: &Report) -> Vec<Curve> {
    let total = Curve {
        name: "total".into(),
        class: "curve total".into(),
        weight: None,
        values: report.steps.iter().map(|step| step.total).collect(),
    };
    let mut curves = vec![total];
    for (index, (name, weight)) in report.terms.iter().enumerate() {
        let weight = f64::from(*weight);
        let value = |terms: &[f64]| terms.get(index).map_or(f64::NAN, |term| term * weight);
        let kind = match name.split(':').next() {
            Some("content") => "dashed",
            Some("tv") => "dotted",
            _ => "solid",
        };
        curves.push(Curve {
            name: name.clone(),
            class: format!("curve {kind} c{}", index % 8),
            weight: Some(weight),
            values: report.steps.iter().map(|step| value(&step.terms)).collect(),
        });
    }
    curves
}

/// Where the steps of each scale start and end among all steps.
fn segments(report: &Report) -> Vec<(usize, usize)> {
    let mut segments = Vec::new();
    let mut start = 0;
    for part in report.steps.chunk_by(|a, b| a.scale == b.scale) {
        segments.push((start, start + part.len()));
        start += part.len();
    }
    segments
}

/// The path of a curve: a line for each scale, broken where a value is no number.
fn line(values: &[f64], segments: &[(usize, usize)], axis: &Axis) -> String {
    let mut path = String::new();
    let across = WIDTH / values.len() as f64;
    for &(start, end) in segments {
        let room = (POINTS * (end - start)).div_ceil(values.len()).max(4);
        let points: Vec<_> = (start..end)
            .map(|i| ((i as f64 + 0.5) * across, values[i]))
            .collect();
        for part in points.split(|(_, value)| !drawable(*value)) {
            let part = thin(part, room);
            for (i, (x, value)) in part.iter().enumerate() {
                let y = HEIGHT * (1.0 - axis.place(*value));
                let letter = if i == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{letter}{x:.1} {y:.1}");
            }
            if part.len() == 1 {
                // A line of no length has round ends: a dot.
                path.push_str("h0");
            }
        }
    }
    path
}

/// At most `room` points, or few more: of neighbours the lowest and the highest, so that spikes stay.
fn thin(points: &[(f64, f64)], room: usize) -> Vec<(f64, f64)> {
    if points.len() <= room {
        return points.to_vec();
    }
    let group = points.len().div_ceil((room / 2).max(1));
    let mut kept = Vec::with_capacity(room + 2);
    for group in points.chunks(group) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        if let (Some(low), Some(high)) =
            (group.iter().min_by(by_value), group.iter().max_by(by_value))
        {
            let mut pair = [*low, *high];
            pair.sort_by(|a, b| a.0.total_cmp(&b.0));
            kept.push(pair[0]);
            if pair[0].0 < pair[1].0 {
                kept.push(pair[1]);
            }
        }
    }
    kept
}

fn labels(
    out: &mut String,
    report: &Report,
    segments: &[(usize, usize)],
    axis: &Axis,
    ticks: &[f64],
) {
    let count = report.steps.len();
    for tick in ticks {
        let top = 100.0 * (1.0 - axis.place(*tick));
        let _ = write!(
            out,
            "<span class=\"y\" style=\"top:{top:.2}%\">{}</span>",
            short(*tick)
        );
    }
    let every = round_up(count as f64 / 5.0).max(1.0) as usize;
    for step in (every..=count).step_by(every) {
        let left = 100.0 * (step as f64 - 0.5) / count as f64;
        let _ = write!(
            out,
            "<span class=\"x\" style=\"left:{left:.2}%\">{step}</span>"
        );
    }
    for &(start, end) in segments {
        // Too narrow for its number.
        if (end - start) * 12 < count {
            continue;
        }
        if let Some(scale) = report.scales.get(report.steps[start].scale) {
            let left = 100.0 * start as f64 / count as f64;
            let side = scale.width.max(scale.height);
            let _ = write!(
                out,
                "<span class=\"size\" style=\"left:{left:.2}%\">{side}<i> px</i></span>"
            );
        }
    }
}

fn legend(out: &mut String, curves: &[Curve], axis: &Axis) {
    out.push_str(
        "<table class=\"legend\"><thead><tr><th>term</th><th>weight</th><th class=\"wide\">first</th>\
         <th>last</th><th>share</th></tr></thead><tbody>",
    );
    let last = |curve: &Curve| curve.values.last().copied().unwrap_or(f64::NAN);
    let total = curves.first().map_or(f64::NAN, last);
    for curve in curves {
        let share = match last(curve) / total {
            share if share.is_finite() => format!("{:.0} %", 100.0 * share),
            _ => "–".into(),
        };
        let _ = write!(
            out,
            "<tr><th><svg viewBox=\"0 0 28 8\" aria-hidden=\"true\"><path class=\"{}\" d=\"M2 4H26\"/></svg> {}</th>\
             <td>{}</td><td class=\"wide\">{}</td><td>{}</td><td>{share}</td></tr>",
            curve.class,
            escape(&curve.name),
            curve.weight.map_or(String::new(), short),
            significant(curve.values.first().copied().unwrap_or(f64::NAN)),
            significant(last(curve)),
        );
    }
    let form = if axis.logarithmic {
        "logarithmic"
    } else {
        "linear"
    };
    let _ = write!(
        out,
        "</tbody></table><p class=\"note\">Each term times its weight, before each step; the total is their sum. \
         The axis of losses is {form}. Dotted lines mark where a scale begins, by its long side: there the losses \
         jump, because they are taken of a larger picture.</p>"
    );
}

/// The axis of losses.
struct Axis {
    logarithmic: bool,
    low: f64,
    high: f64,
}

/// Whether a value has a place on an axis.
fn drawable(value: f64) -> bool {
    value.abs() < HUGE
}

impl Axis {
    fn of<'a>(values: impl Iterator<Item = &'a f64>) -> Self {
        let (mut lowest, mut least, mut most) = (0.0_f64, HUGE, 0.0_f64);
        for &value in values.filter(|value| drawable(**value)) {
            lowest = lowest.min(value);
            most = most.max(value);
            if value > 1.0 / HUGE {
                least = least.min(value);
            }
        }
        let least = least.max(most / 10f64.powi(DECADES));
        if lowest == 0.0 && least > 0.0 && most / least >= 10.0 {
            return Self {
                logarithmic: true,
                low: least / 1.15,
                high: most * 1.15,
            };
        }
        let span = most - lowest;
        let high = if span > 1.0 / HUGE {
            most + 0.08 * span
        } else {
            1.0
        };
        Self {
            logarithmic: false,
            low: lowest,
            high,
        }
    }

    /// Where a value lies, 0 (floor) to 1 (ceiling).
    fn place(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// Round values along the axis: 3 to 8 of them.
    fn ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            let every = round_up((self.high - self.low) / 5.0);
            let first = (self.low / every).ceil() as i32;
            return (first..)
                .map(|i| f64::from(i) * every)
                .take_while(|tick| *tick <= self.high)
                .collect();
        }
        let (from, to) = (
            self.low.log10().floor() as i32,
            self.high.log10().floor() as i32,
        );
        let of_decades = |multiples: &[f64]| -> Vec<f64> {
            let ticks = (from..=to).flat_map(|k| multiples.iter().map(move |m| m * 10f64.powi(k)));
            ticks
                .filter(|tick| (self.low..=self.high).contains(tick))
                .collect()
        };
        let decades = of_decades(&[1.0]);
        if decades.len() > 2 {
            decades
        } else {
            of_decades(&[1.0, 2.0, 5.0])
        }
    }
}

/// The next of 1, 2, 5, 10, 20, 50, …
fn round_up(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    let enough = |step: &f64| *step >= value * (1.0 - 1e-9);
    steps.into_iter().find(enough).unwrap_or(10.0 * decade)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_a_few_round_ticks_inside() {
        for high in [1e-200, 3.3e-9, 0.017, 0.1, 0.99, 1.0, 7.5, 4e6, 9e250] {
            for ratio in [
                1.0,
                1.5,
                9.9,
                10.0,
                10.1,
                30.0,
                99.0,
                101.0,
                5e3,
                1e6,
                1e9,
                f64::INFINITY,
            ] {
                let axis = Axis::of([high / ratio, high].iter());
                let ticks = axis.ticks();
                assert!((3..=8).contains(&ticks.len()), "{high} {ratio}: {ticks:?}");
                assert!(
                    ticks.is_sorted_by(|a, b| a < b),
                    "{high} {ratio}: {ticks:?}"
                );
                let places: Vec<_> = ticks.iter().map(|tick| axis.place(*tick)).collect();
                assert!(
                    places.is_sorted_by(|a, b| a < b),
                    "{high} {ratio}: {places:?}"
                );
                assert_eq!(
                    axis.logarithmic,
                    (10.0..1e300).contains(&ratio),
                    "{high} {ratio}"
                );
            }
        }
    }

    #[test]
    fn a_logarithmic_axis_keeps_ratios() {
        let axis = Axis::of([0.01, 1.0].iter());
        let steps = [0.01, 0.1, 1.0].map(|value| axis.place(value));
        assert!((steps[2] - 2.0 * steps[1] + steps[0]).abs() < 1e-12);
        assert_eq!(axis.place(0.0), 0.0);
    }

    #[test]
    fn thinning_keeps_the_extremes_of_every_part() {
        let points: Vec<_> = (0..1000)
            .map(|i| (f64::from(i), f64::from(i * 7919 % 1000)))
            .collect();
        let thinned = thin(&points, 100);
        assert!(thinned.len() <= 100, "{}", thinned.len());
        assert!(thinned.is_sorted_by(|a, b| a.0 < b.0));
        for part in points.chunks(20) {
            for extreme in [
                part.iter().map(|p| p.1).fold(f64::MAX, f64::min),
                part.iter().map(|p| p.1).fold(0.0, f64::max),
            ] {
                assert!(thinned.iter().any(|p| p.1 == extreme));
            }
        }
        assert_eq!(thin(&points[..100], 100), points[..100]);
    }
}
