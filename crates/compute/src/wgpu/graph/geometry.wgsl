// Maps of another size. Height and width of what is read are `h` and `w`.

//# window
// A map as it is seen, from some places before the first on.
struct Params { n: u32, h: u32, w: u32, high: u32, wide: u32, before: i32, doubled: u32, padding: u32, activation: u32, u: f32, v: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    let row = i / p.wide;
    let value = seen(row / p.high, i32(row % p.high) - p.before, i32(i % p.wide) - p.before);
    set_out(i, activated(value));
}

//# bilinear
// Twice as high and wide: a place lies a quarter of the way from the nearest one that is read to the next.
struct Params { n: u32, h: u32, w: u32, doubled: u32, padding: u32, activation: u32, u: f32, v: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    let row = i / (2u * p.w);
    let column = i % (2u * p.w);
    let channel = row / (2u * p.h);
    let y = row % (2u * p.h);
    let top = i32((y + 1u) / 2u) - 1;
    let left = i32((column + 1u) / 2u) - 1;
    let down = select(0.75, 0.25, y % 2u == 1u);
    let right = select(0.75, 0.25, column % 2u == 1u);
    let above = seen(channel, top, left) * (1.0 - right) + seen(channel, top, left + 1) * right;
    let below = seen(channel, top + 1, left) * (1.0 - right) + seen(channel, top + 1, left + 1) * right;
    set_out(i, activated(above * (1.0 - down) + below * down));
}

//# graph_pool
// MEAN: 0 the greatest, 1 the mean of those that are inside.
struct Params {
    n: u32, h: u32, w: u32, high: u32, wide: u32, kernel: i32, stride: i32, top: i32, left: i32,
    doubled: u32, padding: u32, activation: u32, u: f32, v: f32,
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    let row = i / p.wide;
    let channel = row / p.high;
    let top = i32(row % p.high) * p.stride - p.top;
    let left = i32(i % p.wide) * p.stride - p.left;
    let y0 = max(top, 0);
    let x0 = max(left, 0);
    let y1 = min(top + p.kernel, i32(p.h));
    let x1 = min(left + p.kernel, i32(p.w));
    // There is one always.
    var most = seen(channel, y0, x0);
    var sum = 0.0;
    for (var y = y0; y < y1; y++) {
        for (var x = x0; x < x1; x++) {
            let value = seen(channel, y, x);
            most = max(most, value);
            sum = sum + value;
        }
    }
    if (MEAN == 1u) {
        most = sum / f32((y1 - y0) * (x1 - x0));
    }
    set_out(i, activated(most));
}
