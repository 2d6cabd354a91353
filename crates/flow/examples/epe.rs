//! End-point errors against true flow.
use impasto_flow::{Flow, Frame, Settings, flow, read_flo};
use std::path::{Path, PathBuf};

fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) * 10.0
}

fn frame(path: &Path) -> Frame {
    let mut reader = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()))
        .read_info()
        .unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    Frame::from_rgb8(info.height as usize, info.width as usize, &bytes).unwrap()
}
fn epe(a: &Flow, b: &Flow) -> f64 {
    let (mut s, mut n) = (0.0, 0);
    for i in 0..a.u().len() {
        if b.u()[i].abs() < 1e9 && b.v()[i].abs() < 1e9 {
            s += f64::from((a.u()[i] - b.u()[i]).hypot(a.v()[i] - b.v()[i]));
            n += 1;
        }
    }
    s / f64::from(n)
}
fn main() {
    let mut s = Settings::default();
    let mut repeats = 1;
    let mut threads = 2;
    for arg in std::env::args().skip(1) {
        let (k, v) = arg.split_once('=').unwrap();
        let f: f32 = v.parse().unwrap();
        let r = &mut s.refinement;
        match k {
            "r" => repeats = f as usize,
            "t" => threads = f as usize,
            "finest" => s.finest = f as usize,
            "stride" => s.stride = f as usize,
            "steps" => s.steps = f as usize,
            "warps" => r.warps = f as usize,
            "sweeps" => r.sweeps = f as usize,
            "alpha" => r.smoothness = f,
            "delta" => r.brightness = f,
            "gamma" => r.slopes = f,
            "omega" => r.relaxation = f,
            "edges" => r.edges = f,
            "colors" => r.colors = f > 0.0,
            _ => panic!("{k}"),
        }
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .unwrap();
    let root = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/video"
    ));
    let mut cases: Vec<(String, PathBuf, PathBuf, PathBuf)> = Vec::new();
    for n in [
        "Dimetrodon",
        "Grove2",
        "Grove3",
        "Hydrangea",
        "RubberWhale",
        "Urban2",
    ] {
        let d = root.join("middlebury").join(n);
        cases.push((
            n.into(),
            d.join("frame10.png"),
            d.join("frame11.png"),
            d.join("flow10.flo"),
        ));
    }
    for n in ["clean", "final"] {
        let d = root.join("sintel/alley_1").join(n);
        cases.push((
            n.into(),
            d.join("frame_0002.png"),
            d.join("frame_0003.png"),
            d.join("gt/frame_0002.flo"),
        ));
    }
    let mut line = String::new();
    let (mut mean, mut total) = (0.0, 0.0);
    let mut run = |name: &str, a: &Frame, b: &Frame, truth: &Flow, counted: bool| {
        let mut best = f64::INFINITY;
        let mut got = None;
        for _ in 0..repeats {
            let start = cpu();
            got = Some(flow(a, b, &s, None).unwrap());
            best = best.min(cpu() - start);
        }
        let e = epe(&got.unwrap(), truth);
        if counted {
            mean += e / 8.0;
        }
        total += best;
        line += &format!("{name:.5} {e:.3} {best:.0}ms | ");
    };
    for (name, a, b, truth) in cases {
        run(
            &name,
            &frame(&a),
            &frame(&b),
            &read_flo(std::fs::File::open(&truth).unwrap()).unwrap(),
            true,
        );
    }
    if let Ok(bytes) = std::fs::read("/tmp/cvflow/disp.f32") {
        let d = root.join("stereo-motorcycle");
        let (a, b) = (
            frame(&d.join("motorcycle_left.png")),
            frame(&d.join("motorcycle_right.png")),
        );
        let w = a.width();
        let val = |i: usize| f32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().unwrap());
        let truth = Flow::from_fn(a.height(), w, |x, y| {
            let d = val(y * w + x);
            [if d.is_finite() { -d } else { 1e10 }, 0.0]
        });
        run("motorcycle", &a, &b, &truth.unwrap(), false);
    }
    println!("mean {mean:.4} total {total:.0}ms {line}");
}
