// Convolutions and their transposes. KERNEL_H, KERNEL_W: sides of the filters.

//# graph_convolution
// As a product of matrices: rows are channels made, columns are places, the depth is taps, and channels of each. Filters are
// `[batch][depth][row]`.
// TRANSPOSED 0: batches are groups. TRANSPOSED 1: batches are the places of a square of `stride` on each side, of which each
// is made by a convolution with every so many taps of the filters.
struct Params {
    m: u32, n: u32, k: u32, tiles_m: u32, tiles: u32, slice: u32, splits: u32,
    // Of the map as it is seen; channels of a group.
    h: u32, w: u32, channels: u32,
    // Columns of the places made; of a transpose, in one batch.
    across: u32,
    stride: u32,
    // Places before the first one that the first filter reads; of a transpose, that are cut off.
    top: i32, left: i32,
    doubled: u32, padding: u32,
    activation: u32, u: f32, v: f32,
}

struct Place { y: vec4i, x: vec4i }

// Four columns. Those beyond the last read something and are not written.
fn place_b(n: u32) -> Place {
    let at = vec4u(n, n + 1u, n + 2u, n + 3u);
    let y = vec4i(at / p.across);
    let x = vec4i(at % p.across);
    if (TRANSPOSED == 1u) {
        return Place(y, x);
    }
    return Place(y * i32(p.stride) - p.top, x * i32(p.stride) - p.left);
}

fn place_a(m: u32) -> u32 {
    return m;
}

fn load_a(m: u32, k: u32, end: u32, z: u32) -> vec4f {
    if (k >= end) {
        return vec4f();
    }
    let at = (z * p.k + k) * p.m + m;
    if (m + 3u < p.m) {
        return vec4f(get_filters(at), get_filters(at + 1u), get_filters(at + 2u), get_filters(at + 3u));
    }
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (m + i < p.m) {
            four[i] = get_filters(at + i);
        }
    }
    return four;
}

fn load_b(place: Place, k: u32, end: u32, z: u32) -> vec4f {
    if (k >= end) {
        return vec4f();
    }
    let tap = k / p.channels;
    var channel = k % p.channels;
    var y = place.y;
    var x = place.x;
    if (TRANSPOSED == 1u) {
        y = y + (i32(z / p.stride) + p.top) / i32(p.stride) - i32(tap / KERNEL_W);
        x = x + (i32(z % p.stride) + p.left) / i32(p.stride) - i32(tap % KERNEL_W);
    } else {
        channel = channel + z * p.channels;
        y = y + i32(tap / KERNEL_W);
        x = x + i32(tap % KERNEL_W);
    }
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        four[i] = seen(channel, y[i], x[i]);
    }
    return four;
}

fn unwanted(m: u32, n: u32, z: u32) -> bool {
    return false;
}

fn finish(m: u32, n: u32, z: u32, rows: array<vec4f, 8>) {
    var values = rows;
    for (var r = 0u; r < 8u; r++) {
        if (m + r >= p.m) {
            break;
        }
        var channel = m + r;
        if (TRANSPOSED == 0u) {
            channel = channel + z * p.m;
        }
        let bias = get_bias(channel);
        for (var i = 0u; i < 4u; i++) {
            let place = n + i;
            if (place >= p.n) {
                break;
            }
            var at = channel * p.n + place;
            if (TRANSPOSED == 1u) {
                let y = place / p.across * p.stride + z / p.stride;
                let x = place % p.across * p.stride + z % p.stride;
                at = channel * p.n * p.stride * p.stride + y * p.across * p.stride + x;
            }
            set_out(at, activated(values[r][i] + bias));
        }
    }
}

//# graph_depthwise
// Place by place, where groups are so narrow that tiles of a product would be empty. Filters are `[out][in][row][column]`.
struct Params {
    // Numbers made, places, channels made by a group.
    n: u32, places: u32, m: u32,
    h: u32, w: u32, channels: u32, across: u32, stride: u32, top: i32, left: i32,
    doubled: u32, padding: u32,
    activation: u32, u: f32, v: f32,
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    let channel = i / p.places;
    let place = i % p.places;
    let top = i32(place / p.across * p.stride) - p.top;
    let left = i32(place % p.across * p.stride) - p.left;
    let first = channel / p.m * p.channels;
    var filter_at = channel * p.channels * KERNEL_H * KERNEL_W;
    var sum = get_bias(channel);
    for (var c = 0u; c < p.channels; c++) {
        for (var y = 0u; y < KERNEL_H; y++) {
            for (var x = 0u; x < KERNEL_W; x++) {
                sum = sum + get_filters(filter_at) * seen(first + c, top + i32(y), left + i32(x));
                filter_at = filter_at + 1u;
            }
        }
    }
    set_out(i, activated(sum));
}
