// 3×3 convolutions: what they read of a map, as a product of matrices and as the patches of Winograd's filtering.
//
// SOURCE: 0 a map; 1 a gradient behind ReLU and pool, spread to the places that its bits tell.
// PADDING of a map: 0 zeros, 1 the nearest pixel, 2 mirrored.
// TARGET: 0 as it is; 1 ReLU with bits; 2 ReLU and maximum, 3 ReLU and mean, each with bits.
// ADD: onto what is there. MASK: zero where the bits of `mask` are.
// HALF: what is multiplied is scaled into the range of 16 bits, by a power of two of the map, whose reciprocal is kept with it,
// and one of the filters.

// What a map is multiplied by as it is read.
fn map_scale() -> f32 {
    if (HALF == 1u) {
        return get_scales(0u);
    }
    return 1.0;
}

// The index that a position reads; only zeros may lie outside.
fn padded(i: i32, n: i32) -> i32 {
    if (PADDING == 1u) {
        return clamp(i, 0, n - 1);
    }
    if (PADDING == 2u) {
        let mirrored = select(select(i, n - 2, i >= n), 1, i < 0);
        return select(mirrored, 0, n == 1);
    }
    return i;
}

fn pixel(channel: u32, y: i32, x: i32) -> f32 {
    let row = padded(y, i32(p.h));
    let column = padded(x, i32(p.w));
    if (row < 0 || column < 0 || row >= i32(p.h) || column >= i32(p.w)) {
        return 0.0;
    }
    let r = u32(row);
    let c = u32(column);
    if (SOURCE == 1u) {
        let wide = p.w / 2u;
        if (r / 2u >= p.h / 2u || c / 2u >= wide) {
            return 0.0;
        }
        let four = r / 2u * wide + c / 2u;
        let fours = p.h / 2u * wide;
        let bit = channel % 8u * 4u + r % 2u * 2u + c % 2u;
        if (((get_spread(channel / 8u * fours + four) >> bit) & 1u) == 0u) {
            return 0.0;
        }
        return p.scale * get_x(channel * fours + four);
    }
    return get_x((channel * p.h + r) * p.w + c);
}

//# convolution
struct Params {
    m: u32, n: u32, k: u32, tiles_m: u32, tiles: u32, slice: u32, splits: u32,
    // Of the map that is read, and its channels.
    h: u32, w: u32, channels: u32,
    // Pixels that the result has around the map.
    border: u32,
    // What a pool multiplies its result by.
    factor: f32,
    // What a gradient from behind a pool is multiplied by.
    scale: f32,
    // What filters are multiplied by, and its reciprocal.
    filters: f32,
    unfilters: f32,
}

struct Place { y: vec4i, x: vec4i }

// Four columns: neighbours in a row of pixels, or the corners of what a pool makes one of. Those beyond the last read
// something and are not written.
fn place_b(n: u32) -> Place {
    let at = vec4u(n, n + 1u, n + 2u, n + 3u);
    if (TARGET >= 2u) {
        let wide = p.w / 2u;
        let four = n / 4u;
        let top = i32(four / wide * 2u);
        let left = i32(four % wide * 2u);
        return Place(vec4i(top, top, top + 1, top + 1), vec4i(left, left + 1, left, left + 1));
    }
    let wide = p.w + 2u * p.border;
    return Place(vec4i(at / wide) - i32(p.border), vec4i(at % wide) - i32(p.border));
}

fn place_a(m: u32) -> u32 {
    return m;
}

fn load_a(m: u32, k: u32, end: u32, z: u32) -> vec4f {
    if (k >= end) {
        return vec4f();
    }
    let at = k * p.m + m;
    if (m + 3u < p.m) {
        return p.filters * vec4f(get_filters(at), get_filters(at + 1u), get_filters(at + 2u), get_filters(at + 3u));
    }
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (m + i < p.m) {
            four[i] = p.filters * get_filters(at + i);
        }
    }
    return four;
}

fn load_b(place: Place, k: u32, end: u32, z: u32) -> vec4f {
    if (k >= end) {
        return vec4f();
    }
    let tap = k / p.channels;
    let channel = k % p.channels;
    let y = place.y + i32(tap / 3u) - 1;
    let x = place.x + i32(tap % 3u) - 1;
    return map_scale() * vec4f(
        pixel(channel, y.x, x.x),
        pixel(channel, y.y, x.y),
        pixel(channel, y.z, x.z),
        pixel(channel, y.w, x.w),
    );
}

fn unwanted(m: u32, n: u32, z: u32) -> bool {
    return false;
}

fn finish(m: u32, n: u32, z: u32, rows: array<vec4f, 8>) {
    if (m >= p.m || n >= p.n) {
        return;
    }
    var values = rows;
    if (HALF == 1u) {
        let unscale = p.unfilters * get_scales(1u);
        for (var r = 0u; r < 8u; r++) {
            values[r] = values[r] * unscale;
        }
    }
    let word = m / 8u * ((p.n + 3u) / 4u) + n / 4u;
    var bits = 0u;
    if (MASK == 1u) {
        bits = get_mask(word);
    }
    for (var r = 0u; r < 8u; r++) {
        let channel = m + r;
        if (channel >= p.m) {
            break;
        }
        var value = values[r] + get_bias(channel);
        if (TARGET == 1u) {
            bits = bits | (positive(value) << (r * 4u));
            value = max(value, vec4f());
        }
        if (TARGET == 2u) {
            let most = max(max(value.x, value.y), max(value.z, value.w));
            if (most > 0.0) {
                // The first of the greatest gets the gradient.
                let first = select(select(select(3u, 2u, value.z == most), 1u, value.y == most), 0u, value.x == most);
                bits = bits | (1u << (r * 4u + first));
            }
            set_out(channel * (p.n / 4u) + n / 4u, max(most, 0.0) * p.factor);
            continue;
        }
        if (TARGET == 3u) {
            bits = bits | (positive(value) << (r * 4u));
            let four = max(value, vec4f());
            set_out(channel * (p.n / 4u) + n / 4u, (four.x + four.y + four.z + four.w) * 0.25 * p.factor);
            continue;
        }
        for (var i = 0u; i < 4u; i++) {
            if (n + i >= p.n) {
                break;
            }
            let at = channel * p.n + n + i;
            var result = value[i];
            if (ADD == 1u) {
                result = result + get_out(at);
            }
            if (MASK == 1u && ((bits >> (r * 4u + i)) & 1u) == 0u) {
                result = 0.0;
            }
            set_out(at, result);
        }
    }
    if (TARGET != 0u) {
        set_bits(word, bits);
    }
}

fn positive(value: vec4f) -> u32 {
    let signs = select(vec4u(), vec4u(1u, 2u, 4u, 8u), value > vec4f());
    return signs.x | signs.y | signs.z | signs.w;
}

//# patches
// `Bᵀ d B` of the patches of 6×6 under some tiles of 4×4 results: `[point][channel][tile]`, see winograd.rs.
struct Params {
    n: u32, tiles: u32, first: u32, across: u32,
    h: u32, w: u32, border: u32, scale: f32,
}

fn patched(d: array<f32, 6>) -> array<f32, 6> {
    // Even and odd part of the polynomials through both pairs of points.
    let even_p = d[4] - Q2 * d[2];
    let odd_p = P * (d[3] - Q2 * d[1]);
    let even_q = d[4] - P2 * d[2];
    let odd_q = Q * (d[3] - P2 * d[1]);
    return array<f32, 6>(
        P2 * Q2 * d[0] + (d[4] - (P2 + Q2) * d[2]),
        even_p + odd_p,
        even_p - odd_p,
        even_q + odd_q,
        even_q - odd_q,
        P2 * Q2 * d[1] + (d[5] - (P2 + Q2) * d[3]),
    );
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    let channel = i / p.tiles;
    let tile = p.first + i % p.tiles;
    let top = i32(tile / p.across * 4u) - i32(p.border) - 1;
    let left = i32(tile % p.across * 4u) - i32(p.border) - 1;
    var half: array<array<f32, 6>, 6>;
    for (var x = 0; x < 6; x++) {
        var column: array<f32, 6>;
        for (var y = 0; y < 6; y++) {
            column[y] = map_scale() * pixel(channel, top + y, left + x);
        }
        half[x] = patched(column);
    }
    for (var a = 0u; a < 6u; a++) {
        let row = patched(array<f32, 6>(half[0][a], half[1][a], half[2][a], half[3][a], half[4][a], half[5][a]));
        for (var b = 0u; b < 6u; b++) {
            set_out((a * 6u + b) * p.n + i, row[b]);
        }
    }
}
