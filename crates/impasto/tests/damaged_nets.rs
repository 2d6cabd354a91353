//! Files of feed-forward networks whose tensors are not what they should be: told or refused, never a panic; what is still a
//! network paints.
//!
//! `PROPTEST_CASES=100000 cargo test -p impasto --test damaged_nets` looks for long.

use impasto::compute::Device;
use impasto::device::{Choice, Kind, open};
use impasto::nets::Model;
use impasto::recipe::{MethodName, MethodSettings, StyleSize};
use impasto::{Ignore, Networks, OutputSize, PainterSpec, Picture, Recipe, Style, Stylizer};
use impasto_testing::Numbers;
use impasto_weights::{Limits, WeightsFile};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// The files of a network, by name, and the method that paints with them.
type Files = (MethodName, Vec<(String, Vec<u8>)>);

static NETWORKS: LazyLock<Vec<Files>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/nets");
    let read = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    };
    let folder = |name: &str| {
        let entries = std::fs::read_dir(root.join(name)).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| read(path)).collect()
    };
    vec![
        (
            MethodName::Fast,
            vec![read(&root.join("johnson.safetensors"))],
        ),
        (MethodName::Wct, folder("wct")),
        (MethodName::Adain, folder("adain")),
    ]
});

static DEVICE: LazyLock<Arc<dyn Device>> = LazyLock::new(|| {
    let choice = Choice {
        kind: Kind::Cpu,
        ..Choice::default()
    };
    open(&choice).unwrap().into()
});

/// A number below another.
fn below(numbers: &mut Numbers, limit: usize) -> usize {
    (numbers.bits() % limit.max(1) as u64) as usize
}

/// Another shape of as many numbers.
fn reshaped(shape: &Value, numbers: &mut Numbers) -> Value {
    let sides = shape.as_array().into_iter().flatten();
    let mut sides: Vec<u64> = sides.filter_map(Value::as_u64).collect();
    if sides.is_empty() {
        return json!([1]);
    }
    let (from, to) = (below(numbers, sides.len()), below(numbers, sides.len()));
    match below(numbers, 5) {
        0 => sides.swap(from, to),
        1 => sides.push(1),
        2 => sides = vec![sides.iter().product()],
        _ => {
            let factor = [2, 3]
                .into_iter()
                .find(|&factor| sides[from].is_multiple_of(factor));
            let factor = factor.unwrap_or(sides[from].max(1));
            sides[from] /= factor;
            sides[to] *= factor;
        }
    }
    json!(sides)
}

/// A safetensors file with one of its tensors changed, renamed, lent from another or left out.
fn damaged(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Map<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let names: Vec<&String> = header.keys().collect();
    let (name, other) = (
        names[below(numbers, names.len())],
        names[below(numbers, names.len())],
    );
    let mut changed = header.clone();
    match below(numbers, 6) {
        0 => {
            changed.remove(name);
        }
        1 => {
            let entry = changed.remove(name).unwrap();
            changed.insert(format!("{name}x"), entry);
        }
        2 => {
            let (one, two) = (header[name].clone(), header[other].clone());
            changed.insert(name.clone(), two);
            changed.insert(other.clone(), one);
        }
        _ => {
            let shape = reshaped(&header[name]["shape"], numbers);
            changed.get_mut(name).unwrap()["shape"] = shape;
        }
    }
    let mut text = serde_json::to_vec(&changed).unwrap();
    // Now and then a byte of the header itself.
    if below(numbers, 8) == 0 {
        let place = below(numbers, text.len());
        text[place] = numbers.bits() as u8;
    }
    let mut made = (text.len() as u64).to_le_bytes().to_vec();
    made.extend(text);
    made.extend_from_slice(&bytes[8 + length..]);
    made
}

fn picture(seed: u64, width: usize, height: usize) -> Picture {
    let values = Numbers(seed).many(3 * width * height);
    let values = values.iter().map(|v| 0.5 + 0.5 * v).collect();
    Picture::new(width, height, values).unwrap()
}

/// Paints with what was read, by whatever method it is for.
fn paint(method: MethodName, model: Model) {
    let painter = PainterSpec {
        name: "damaged".into(),
        method,
        model,
    };
    let mut recipe = Recipe {
        size: OutputSize::Original,
        method: MethodSettings::of(method),
        ..Recipe::default()
    };
    recipe.style.size = StyleSize::LongSide(16);
    if let MethodSettings::Wct(wct) = &mut recipe.method {
        wct.levels = vec![2, 1];
    }
    let networks = Networks {
        encoder: None,
        painter: Some(&painter),
    };
    let styles = vec![Style::new("style", picture(2, 16, 11), 1.0)];
    let made = Stylizer::with_networks(DEVICE.clone(), networks, styles, recipe);
    if let Ok(mut stylizer) = made
        && let Ok(made) = stylizer.stylize(&picture(1, 13, 9), &mut Ignore)
    {
        assert!(made.picture.rgb().iter().all(|v| (0.0..=1.0).contains(v)));
    }
}

proptest! {
    #[test]
    fn damaged_networks_are_read_or_refused(seed in any::<u64>(), network in 0_usize..3) {
        let mut numbers = Numbers(seed);
        let (method, files) = &NETWORKS[network];
        let chosen = below(&mut numbers, files.len());
        let changed: Vec<_> = files.iter().enumerate().map(|(index, (name, bytes))| {
            match index == chosen {
                true => (name, damaged(bytes, &mut numbers)),
                false => (name, bytes.clone()),
            }
        }).collect();
        let limits = Limits::default();
        let opened = changed.iter().map(|(name, bytes)| {
            WeightsFile::from_bytes(bytes, name.as_str(), &limits)
        });
        let Ok(opened) = opened.collect::<Result<Vec<_>, _>>() else {
            return Ok(());
        };
        match Model::read("damaged", &opened) {
            Ok(model) => paint(*method, model),
            Err(problem) => prop_assert!(!problem.to_string().is_empty()),
        }
    }
}
