// Winograd's minimal filtering, but for its first stage, which stands in convolution.wgsl: see winograd.rs.

//# filters
// `G g Gᵀ` of every pair of channels: from `[tap][input][output]` to `[point][input][output]`.
struct Params {
    n: u32,
    // What they are multiplied by.
    scale: f32,
}

fn filtered(g: vec3f) -> array<f32, 6> {
    let even_p = S * g.x + S * P2 * g.z;
    let odd_p = S * P * g.y;
    let even_q = T * g.x + T * Q2 * g.z;
    let odd_q = T * Q * g.y;
    return array<f32, 6>(g.x / (P2 * Q2), even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, g.z);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let pair = group(at, groups) * 256u + lane;
    if (pair >= p.n) {
        return;
    }
    var half: array<array<f32, 6>, 3>;
    for (var s = 0u; s < 3u; s++) {
        let column = vec3f(get_x(s * p.n + pair), get_x((3u + s) * p.n + pair), get_x((6u + s) * p.n + pair));
        half[s] = filtered(column);
    }
    for (var a = 0u; a < 6u; a++) {
        let row = filtered(vec3f(half[0][a], half[1][a], half[2][a]));
        for (var b = 0u; b < 6u; b++) {
            set_out((a * 6u + b) * p.n + pair, p.scale * row[b]);
        }
    }
}

//# multiply
// A product for each point: `[point][output][tile]` from filters `[point][input][output]` and patches
// `[point][input][tile]`.
struct Params { m: u32, n: u32, k: u32, tiles_m: u32, tiles: u32, slice: u32, splits: u32 }

fn place_a(m: u32) -> u32 { return m; }
fn place_b(n: u32) -> u32 { return n; }

fn load_a(m: u32, k: u32, end: u32, z: u32) -> vec4f {
    if (k >= end) {
        return vec4f();
    }
    let at = (z * p.k + k) * p.m + m;
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (m + i < p.m) {
            four[i] = get_filters(at + i);
        }
    }
    return four;
}

fn load_b(n: u32, k: u32, end: u32, z: u32) -> vec4f {
    if (k >= end) {
        return vec4f();
    }
    let at = (z * p.k + k) * p.n + n;
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (n + i < p.n) {
            four[i] = get_patches(at + i);
        }
    }
    return four;
}

fn unwanted(m: u32, n: u32, z: u32) -> bool {
    return false;
}

fn finish(m: u32, n: u32, z: u32, rows: array<vec4f, 8>) {
    var values = rows;
    for (var r = 0u; r < 8u; r++) {
        for (var i = 0u; i < 4u; i++) {
            if (m + r < p.m && n + i < p.n) {
                set_out((z * p.m + m + r) * p.n + n + i, values[r][i]);
            }
        }
    }
}

//# results
// `Aᵀ m A` of tiles of eight channels each, and what is fused behind; TARGET, ADD, MASK and HALF as in convolution.wgsl.
struct Params {
    n: u32, tiles: u32, first: u32, across: u32,
    // Of the result before it is pooled.
    h: u32, w: u32, channels: u32,
    // What a pool multiplies its result by.
    factor: f32,
    // The reciprocal of what filters were multiplied by.
    unfilters: f32,
}

fn combined(m: array<f32, 6>) -> vec4f {
    let sum_p = m[1] + m[2];
    let difference_p = m[1] - m[2];
    let sum_q = m[3] + m[4];
    let difference_q = m[3] - m[4];
    return vec4f(
        m[0] + sum_p + sum_q,
        P * difference_p + Q * difference_q,
        P2 * sum_p + Q2 * sum_q,
        P2 * P * difference_p + Q2 * Q * difference_q + m[5],
    );
}

// Four rows of a tile.
fn tile_of(channel: u32, tile: u32) -> mat4x4f {
    var half: array<vec4f, 6>;
    for (var b = 0u; b < 6u; b++) {
        var column: array<f32, 6>;
        for (var a = 0u; a < 6u; a++) {
            column[a] = get_x(((a * 6u + b) * p.channels + channel) * p.tiles + tile);
        }
        half[b] = combined(column);
    }
    var rows: mat4x4f;
    for (var y = 0u; y < 4u; y++) {
        rows[y] = combined(array<f32, 6>(half[0][y], half[1][y], half[2][y], half[3][y], half[4][y], half[5][y]));
    }
    if (HALF == 1u) {
        return rows * (p.unfilters * get_scales(1u));
    }
    return rows;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    let tile = i % p.tiles;
    let eight = i / p.tiles;
    let top = (p.first + tile) / p.across * 4u;
    let left = (p.first + tile) % p.across * 4u;
    let area = p.h * p.w;
    let wide = p.w / 2u;
    let pooled = p.h / 2u * wide;
    // Of the rows, or of the four that a pool makes of the tile.
    var words: array<u32, 4>;
    for (var r = 0u; r < min(8u, p.channels - eight * 8u); r++) {
        let channel = eight * 8u + r;
        var rows = tile_of(channel, tile);
        let bias = get_bias(channel);
        for (var y = 0u; y < 4u; y++) {
            rows[y] = rows[y] + bias;
        }
        if (TARGET >= 2u) {
            for (var part = 0u; part < 4u; part++) {
                let y = part / 2u * 2u;
                let x = part % 2u * 2u;
                let value = vec4f(rows[y][x], rows[y][x + 1u], rows[y + 1u][x], rows[y + 1u][x + 1u]);
                let row = (top + y) / 2u;
                let column = (left + x) / 2u;
                if (row >= p.h / 2u || column >= wide) {
                    continue;
                }
                let place = channel * pooled + row * wide + column;
                if (TARGET == 2u) {
                    words[part] = words[part] | (greatest(value) << (r * 4u));
                    set_out(place, max(max(max(value.x, value.y), max(value.z, value.w)), 0.0) * p.factor);
                } else {
                    words[part] = words[part] | (positive(value) << (r * 4u));
                    let four = max(value, vec4f());
                    set_out(place, (four.x + four.y + four.z + four.w) * 0.25 * p.factor);
                }
            }
            continue;
        }
        for (var y = 0u; y < min(4u, p.h - top); y++) {
            let value = rows[y];
            if (TARGET == 1u) {
                words[y] = words[y] | (positive(value) << (r * 4u));
            }
            for (var x = 0u; x < min(4u, p.w - left); x++) {
                let pixel = (top + y) * p.w + left + x;
                var result = value[x];
                if (TARGET == 1u) {
                    result = max(result, 0.0);
                }
                if (ADD == 1u) {
                    result = result + get_out(channel * area + pixel);
                }
                if (MASK == 1u) {
                    let word = get_mask(eight * ((area + 3u) / 4u) + pixel / 4u);
                    result = select(0.0, result, ((word >> (r * 4u + pixel % 4u)) & 1u) == 1u);
                }
                set_out(channel * area + pixel, result);
            }
        }
    }
    if (TARGET == 1u) {
        // Rows are whole words: see `Job::suits`.
        for (var y = 0u; y < min(4u, p.h - top); y++) {
            set_bits(eight * (area / 4u) + ((top + y) * p.w + left) / 4u, words[y]);
        }
    }
    if (TARGET >= 2u) {
        for (var part = 0u; part < 4u; part++) {
            let row = top / 2u + part / 2u;
            let column = left / 2u + part % 2u;
            if (row < p.h / 2u && column < wide) {
                set_bits(eight * pooled + row * wide + column, words[part]);
            }
        }
    }
}

fn positive(value: vec4f) -> u32 {
    let signs = select(vec4u(), vec4u(1u, 2u, 4u, 8u), value > vec4f());
    return signs.x | signs.y | signs.z | signs.w;
}

// A bit for the first of the greatest, if it is positive: it gets the gradient.
fn greatest(value: vec4f) -> u32 {
    let most = max(max(value.x, value.y), max(value.z, value.w));
    let first = select(select(select(3u, 2u, value.z == most), 1u, value.y == most), 0u, value.x == most);
    return select(0u, 1u << first, most > 0.0);
}
