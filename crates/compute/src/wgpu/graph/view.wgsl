// How a map is seen. `doubled` of the parameters is 1 for every place four times; `padding` is what lies beyond its border:
// 0 zeros, 1 the nearest pixel, 2 mirrored, as often as it takes. Height and width, `h` and `w`, are as seen.

// The index that a position reads; -1 for a zero.
fn padded(i: i32, n: i32) -> i32 {
    if (i >= 0 && i < n) {
        return i;
    }
    if (p.padding == 1u) {
        return clamp(i, 0, n - 1);
    }
    if (p.padding == 2u) {
        if (n == 1) {
            return 0;
        }
        let period = 2 * (n - 1);
        let folded = (i % period + period) % period;
        return min(folded, period - folded);
    }
    return -1;
}

fn seen(channel: u32, y: i32, x: i32) -> f32 {
    let row = padded(y, i32(p.h));
    let column = padded(x, i32(p.w));
    if (row < 0 || column < 0) {
        return 0.0;
    }
    let line = channel * (p.h >> p.doubled) + (u32(row) >> p.doubled);
    return get_x(line * (p.w >> p.doubled) + (u32(column) >> p.doubled));
}
