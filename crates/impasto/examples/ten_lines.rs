//! Paints a photo in the style of a painting: `ten_lines [PHOTO [PAINTING [RESULT]]]`.

use impasto::picture::SaveOptions;
use impasto::{Encoder, Event, Recipe, Style, Stylized, Stylizer, device, examples};
use std::ops::ControlFlow;

fn main() -> impasto::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut path = |default: &str| args.next().unwrap_or(default.into());
    let (photo, painting, result) = (path("@lake"), path("@swirls"), path("stylized.png"));

    let style = Style::new("painting", examples::open(painting)?, 1.0);
    let device = device::open(&device::Choice::default())?;
    let mut stylizer = Stylizer::new(device, &Encoder::lite()?, vec![style], Recipe::default())?;
    let mut observer = |event: &Event<'_>| {
        if let Event::Step(step) = event {
            eprint!("\r{:3.0} %", 100.0 * step.progress);
        }
        ControlFlow::Continue(())
    };
    let content = examples::open(photo)?;
    let Stylized {
        picture, report, ..
    } = stylizer.stylize(&content, &mut observer)?;
    picture.save(result.as_ref(), &SaveOptions::default())?;
    eprintln!("\r{result} after {:.1} s", report.seconds);
    Ok(())
}
