//! Looks at the picture while it is painted, and ends the run after five seconds: `cancel [PHOTO [PAINTING]]`.
//!
//! A run that its observer ends is a success: the picture so far is returned.

use impasto::picture::SaveOptions;
use impasto::{Encoder, Event, Recipe, Style, Stylized, Stylizer, device, examples};
use std::ops::ControlFlow::{Break, Continue};

fn main() -> impasto::Result<()> {
    let mut args = std::env::args().skip(1);
    let photo = examples::open(args.next().unwrap_or("@city".into()))?;
    let painting = examples::open(args.next().unwrap_or("@geometry".into()))?;
    let styles = vec![Style::new("painting", painting, 1.0)];
    let device = device::open(&device::Choice::default())?;
    let mut stylizer = Stylizer::new(device, &Encoder::lite()?, styles, Recipe::default())?;

    let options = SaveOptions::default();
    let mut observer = |event: &Event<'_>| match event {
        Event::Step(step) if step.seconds > 5.0 => Break(()),
        Event::Step(step) if step.step % 20 == 0 => {
            // Rendered because it is asked for; a preview that fails does not harm the run.
            if let Ok(preview) = step.preview() {
                let saved = preview.save("preview.png".as_ref(), &options);
                eprintln!("preview.png, {} px wide: {saved:?}", preview.width());
            }
            Continue(())
        }
        _ => Continue(()),
    };
    let Stylized {
        picture, report, ..
    } = stylizer.stylize(&photo, &mut observer)?;
    picture.save("result.png".as_ref(), &options)?;
    eprintln!("stopped early: {}", report.stopped);
    Ok(())
}
