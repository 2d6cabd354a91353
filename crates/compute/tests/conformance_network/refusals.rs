//! Gradients and views that were not asked for.

use super::*;

#[test]
fn no_cotangent_means_no_gradient() -> Result<()> {
    let case = Case {
        name: "silence".into(),
        spec: small_vgg([5, 6, 7], Padding::Zero, PoolKind::Max, 1.0)?,
        size: (9, 8),
        taps: both([Tap::Layer(6)]),
        repeats: 0,
    };
    for device in devices()? {
        let outcome = run(&*device, &case)?;
        let zeros = [0.0; 3 * 9 * 8];
        let exact = Tolerance::absolute(0.0);
        assert_close(&device.describe(), &outcome.gradient, &zeros, exact);
    }
    Ok(())
}

#[test]
fn what_was_not_asked_is_an_error() -> Result<()> {
    devices()?.iter().try_for_each(|device| refuses(&**device))
}

fn refuses(device: &dyn Device) -> Result<()> {
    let network = device.network(&small_vgg([5, 6, 7], Padding::Zero, PoolKind::Max, 1.0)?)?;
    let image = device.upload(&[0.5; 3 * 8 * 8], &[3, 8, 8])?;
    let asked = [
        TapRequest::features(Tap::Layer(6)),
        TapRequest::moments(Tap::Layer(3)),
    ];
    let forward = || network.forward(&image, &asked);
    let tape = forward()?;
    let refused = |result: Result<()>| matches!(result, Err(ComputeError::NoSuchTap { .. }));
    assert!(refused(tape.features(Tap::Layer(3)).map(|_| ())));
    assert!(refused(tape.moments(Tap::Layer(6)).map(|_| ())));
    assert!(refused(tape.features(Tap::Layer(1)).map(|_| ())));
    assert!(refused(
        network
            .forward(&image, &[TapRequest::features(Tap::Layer(12))])
            .map(|_| ())
    ));
    assert!(refused(
        network
            .forward(&image, &[TapRequest::features(Tap::Head(0))])
            .map(|_| ())
    ));
    let gradient = device.upload(&[0.0; 5 * 8 * 8], &[5, 8, 8])?;
    let towards = vec![Cotangent::features(Tap::Layer(3), gradient)];
    assert!(refused(forward()?.backward(towards).map(|_| ())));
    let wrong = device.upload(&[0.0; 6 * 16], &[6, 2, 8])?;
    let towards = vec![Cotangent::features(Tap::Layer(6), wrong)];
    assert!(matches!(
        forward()?.backward(towards),
        Err(ComputeError::Shape { .. })
    ));
    let foreign = ReferenceDevice::new().upload(&[0.0; 6 * 16], &[6, 4, 4])?;
    let towards = vec![Cotangent::features(Tap::Layer(6), foreign)];
    assert!(matches!(
        forward()?.backward(towards),
        Err(ComputeError::ForeignTensor { .. })
    ));
    let tiny = device.upload(&[0.5; 3 * 3], &[3, 1, 3])?;
    let taps = [TapRequest::features(Tap::Layer(4))];
    assert!(matches!(
        network.forward(&tiny, &taps),
        Err(ComputeError::TooSmall { .. })
    ));
    let flat = device.upload(&[0.5; 9], &[9])?;
    assert!(matches!(
        network.forward(&flat, &taps),
        Err(ComputeError::Shape { .. })
    ));
    Ok(())
}
