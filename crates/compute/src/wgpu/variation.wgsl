//# variation
// KIND: 0 L1, 1 L2, 2 nine points. Every pixel sums the slopes of the differences that it is part of, and the terms of those
// that begin at it.
struct Params { n: u32, groups: u32, h: u32, w: u32, right: f32, down: f32, diagonal: f32, k: f32 }

fn value_of(difference: f32) -> f32 {
    if (KIND == 0u) {
        return abs(difference);
    }
    return difference * difference;
}

fn slope_of(difference: f32) -> f32 {
    if (KIND == 0u) {
        return sign(difference);
    }
    return 2.0 * difference;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let g = group(at, groups);
    var sum = 0.0;
    for (var j = 0u; j < 16u; j++) {
        let place = g * 4096u + j * 256u + lane;
        if (place < p.n) {
            sum = sum + visit(place);
        }
    }
    let total = reduce(lane, sum);
    if (lane == 0u && g < p.groups) {
        set_partials(g, total);
    }
}

fn visit(place: u32) -> f32 {
    let x = place % p.w;
    let y = place / p.w % p.h;
    let plane = place - y * p.w - x;
    let here = get_x(place);
    var value = 0.0;
    var slope = 0.0;
    if (x > 0u) {
        slope = slope + p.right * slope_of(here - get_x(place - 1u));
    }
    if (x + 1u < p.w) {
        let difference = get_x(place + 1u) - here;
        value = value + p.right * value_of(difference);
        slope = slope - p.right * slope_of(difference);
    }
    if (y > 0u) {
        slope = slope + p.down * slope_of(here - get_x(place - p.w));
    }
    if (y + 1u < p.h) {
        let difference = get_x(place + p.w) - here;
        value = value + p.down * value_of(difference);
        slope = slope - p.down * slope_of(difference);
    }
    if (KIND == 2u) {
        // The corners around the pixel, between rows `cy - 1` and `cy` of the picture continued by its border.
        for (var cy = y; cy < y + 2u; cy++) {
            for (var cx = x; cx < x + 2u; cx++) {
                let top = select(cy, 1u, cy == 0u) - 1u;
                let bottom = min(cy, p.h - 1u);
                let left = select(cx, 1u, cx == 0u) - 1u;
                let right = min(cx, p.w - 1u);
                let own = (cy == y || cy == p.h) && (cx == x || cx == p.w);
                for (var turn = 0u; turn < 2u; turn++) {
                    let start = plane + top * p.w + select(left, right, turn == 1u);
                    let end = plane + bottom * p.w + select(right, left, turn == 1u);
                    let difference = get_x(end) - get_x(start);
                    if (own) {
                        value = value + p.diagonal * value_of(difference);
                    }
                    if (end == place) {
                        slope = slope + p.diagonal * slope_of(difference);
                    }
                    if (start == place) {
                        slope = slope - p.diagonal * slope_of(difference);
                    }
                }
            }
        }
    }
    set_gradient(place, p.k * slope);
    return value;
}
