//! Files and pictures of flow.

use impasto_flow::{Error, Flow, flow_colors, read_flo, write_flo};
use impasto_testing::{assert_same, noise};

fn flow() -> Flow {
    let mut data: Vec<f32> = noise(4, 2 * 5 * 3)
        .iter()
        .map(|value| value * 20.0)
        .collect();
    data[3] = 1e10;
    Flow::new(3, 5, data).unwrap()
}

fn bytes(flow: &Flow) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_flo(flow, &mut bytes).unwrap();
    bytes
}

#[test]
fn files_keep_every_bit() {
    let flow = flow();
    let read = read_flo(&bytes(&flow)[..]).unwrap();
    assert_eq!(read.size(), (5, 3));
    assert_same("motions", read.data(), flow.data());
}

#[test]
fn files_are_those_of_middlebury() {
    let bytes = bytes(&Flow::new(1, 2, vec![1.0, 2.0, -3.0, 0.5]).unwrap());
    assert_eq!(
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
        202021.25
    );
    assert_eq!(bytes[4..12], [2, 0, 0, 0, 1, 0, 0, 0]);
    let values: Vec<f32> = bytes[12..]
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&value| f32::from_le_bytes(value))
        .collect();
    assert_eq!(values, [1.0, -3.0, 2.0, 0.5]);
}

#[test]
fn broken_files_are_refused() {
    let good = bytes(&flow());
    for end in 0..good.len() {
        assert!(
            matches!(read_flo(&good[..end]), Err(Error::Flo(_))),
            "cut off after {end} bytes"
        );
    }
    let mut longer = good.clone();
    longer.push(0);
    let mut other = good.clone();
    other[0] = b'Q';
    let sized = |width: u32, height: u32| {
        [&b"PIEH"[..], &width.to_le_bytes(), &height.to_le_bytes()].concat()
    };
    for broken in [
        longer,
        other,
        sized(0, 1),
        sized(1, 0),
        sized(99_999, 99_999),
        sized(u32::MAX, 2),
    ] {
        assert!(matches!(read_flo(&broken[..]), Err(Error::Flo(_))));
    }
}

#[test]
fn colors_are_those_of_the_wheel() {
    let (u, v) = (
        [0.0, 2.0, -2.0, 0.0, 0.0, 1.0, 1e10],
        [0.0, 0.0, 0.0, 2.0, -2.0, 0.0, 0.0],
    );
    let flow = Flow::new(1, 7, [u, v].concat()).unwrap();
    let colors = flow_colors(&flow, Some(2.0));
    // The numbers of the wheel of 55 colours: a place of 54 · (1 + angle / π) / 2, from red by yellow to green and on.
    let expected: [[u8; 3]; 7] = [
        [255, 255, 255],
        [255, 0, 0],
        [0, 209, 255],
        [255, 229, 0],
        [88, 0, 255],
        [255, 127, 127],
        [0, 0, 0],
    ];
    for (i, (got, expected)) in colors.as_chunks::<3>().0.iter().zip(expected).enumerate() {
        for c in 0..3 {
            assert!(
                got[c].abs_diff(expected[c]) <= 1,
                "{i}: {got:?}, not {expected:?}"
            );
        }
    }
    assert_eq!(colors[..9], flow_colors(&flow, None)[..9]);
    assert!(flow_colors(&Flow::new(1, 1, vec![0.0; 2]).unwrap(), None) == [255; 3]);
}
