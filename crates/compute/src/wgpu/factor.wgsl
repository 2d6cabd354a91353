// Triangular factors, up to 32 channels at a time. Matrices are row-major, `c` elements a row; of symmetric ones the lower half
// is there.

//# scales
// What brings the greatest of a covariance's variances to about 1: see `Control` in factor.rs.
struct Params { c: u32 }

// As bits, in which positive numbers keep their order and what is no number is above all.
var<workgroup> greatest: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    var most = 0u;
    for (var i = lane; i < p.c; i = i + 256u) {
        let bits = bitcast<u32>(get_x(i * (p.c + 1u)));
        // Rounding may leave a variance below zero.
        let below = bits > 0x80000000u && bits <= 0xff800000u;
        most = max(most, select(bits & 0x7fffffffu, 0u, below));
    }
    greatest[lane] = most;
    for (var half = 128u; half > 0u; half = half >> 1u) {
        workgroupBarrier();
        if (lane < half) {
            greatest[lane] = max(greatest[lane], greatest[lane + half]);
        }
    }
    if (lane == 0u) {
        let bits = greatest[0];
        let most = bitcast<f32>(bits);
        var exponent = -62;
        if (bits > 0u && bits < 0x7f800000u) {
            exponent = clamp(i32(floor(log2(most) / 2.0)), -62, 62);
        }
        set_controls(0u, power(-2 * exponent));
        set_controls(1u, power(exponent));
        set_controls(2u, power(-exponent));
        set_controls(3u, most);
        // A factor of the results: one, zero of nothing, and no number where the covariance is none.
        var there = select(0.0, 1.0, bits > 0u);
        if (bits >= 0x7f800000u) {
            there = bitcast<f32>(bits | 0x7fc00000u);
        }
        set_controls(4u, there);
    }
}

fn power(exponent: i32) -> f32 {
    return bitcast<f32>(u32(exponent + 127) << 23u);
}

//# begin
// The covariance at its scale, and the least that may be left of each variance.
struct Params { n: u32, c: u32, share: f32, least: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n) {
        return;
    }
    let scale = get_controls(0u);
    let value = get_x(place) * scale;
    set_matrix(place, value);
    if (place / p.c == place % p.c) {
        set_floors(place / p.c, max(value * p.share, get_controls(3u) * scale * p.least));
    }
}

//# pivots
// Chooses the channels of which most is left, and eliminates them among each other.
struct Params { c: u32, start: u32, size: u32 }

var<workgroup> scores: array<f32, 1024>;
var<workgroup> chosen: array<u32, 32>;
// What is left of them, and what each explains of those that follow it.
var<workgroup> block: array<f32, 1056>;
var<workgroup> shares: array<f32, 1056>;
var<workgroup> least: array<f32, 32>;
// When each was taken, counted from 1; 0 before.
var<workgroup> taken: array<u32, 32>;

// How far what is left is above its floor, at least 0.
fn above(left: f32, floor: f32) -> f32 {
    let ratio = left / floor;
    return select(0.0, ratio, ratio > 0.0);
}

// The same of a channel, below 0 if it has been taken.
fn score(channel: u32) -> f32 {
    if (get_places(channel) != 0u) {
        return -1.0;
    }
    return above(get_matrix(channel * (p.c + 1u)), get_floors(channel));
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    // A channel's rank is the number of those before it.
    for (var first = 0u; first < p.c; first = first + 256u) {
        let channel = first + lane;
        var own = -1.0;
        if (channel < p.c) {
            own = score(channel);
        }
        var rank = 0u;
        for (var tile = 0u; tile < p.c; tile = tile + 1024u) {
            let count = min(1024u, p.c - tile);
            workgroupBarrier();
            for (var k = lane; k < count; k = k + 256u) {
                scores[k] = score(tile + k);
            }
            workgroupBarrier();
            for (var k = 0u; k < count; k++) {
                let other = scores[k];
                if (other > own || (other == own && tile + k < channel)) {
                    rank = rank + 1u;
                }
            }
        }
        if (own >= 0.0 && rank < p.size) {
            chosen[rank] = channel;
        }
    }
    workgroupBarrier();
    for (var k = lane; k < 1024u; k = k + 256u) {
        let i = k / 32u;
        let j = k % 32u;
        var value = 0.0;
        if (i < p.size && j < p.size) {
            value = get_matrix(max(chosen[i], chosen[j]) * p.c + min(chosen[i], chosen[j]));
        }
        block[i * 33u + j] = value;
        shares[i * 33u + j] = 0.0;
    }
    if (lane < p.size) {
        taken[lane] = 0u;
        least[lane] = get_floors(chosen[lane]);
    }
    workgroupBarrier();
    for (var k = 0u; k < p.size; k++) {
        var best = 0u;
        var most = -1.0;
        for (var i = 0u; i < p.size; i++) {
            let own = above(block[i * 34u], least[i]);
            if (taken[i] == 0u && own > most) {
                most = own;
                best = i;
            }
        }
        let left = block[best * 34u];
        let pivot = sqrt(max(left, least[best]));
        if (lane == best) {
            shares[lane * 33u + k] = pivot;
        } else if (lane < p.size && taken[lane] == 0u) {
            // What is left of a channel bounds what others explain of it.
            let own = block[lane * 34u];
            let bound = sqrt(max(own, 0.0));
            let share = clamp(block[lane * 33u + best] / pivot, -bound, bound);
            shares[lane * 33u + k] = select(0.0, share, left > least[best] && own > least[lane]);
        }
        workgroupBarrier();
        if (lane == best) {
            taken[lane] = k + 1u;
        }
        for (var at = lane; at < 1024u; at = at + 256u) {
            let i = at / 32u;
            let j = at % 32u;
            block[i * 33u + j] = block[i * 33u + j] - shares[i * 33u + k] * shares[j * 33u + k];
        }
        workgroupBarrier();
    }
    if (lane < p.size) {
        set_order(p.start + taken[lane] - 1u, chosen[lane]);
        set_places(chosen[lane], p.start + taken[lane]);
    }
    for (var k = lane; k < 1024u; k = k + 256u) {
        let i = k / 32u;
        let j = k % 32u;
        if (i < p.size && j < p.size) {
            set_values(chosen[i] * p.c + p.start + j, shares[i * 33u + j]);
        }
    }
}

//# panel
// What the channels of a block explain of those that are not taken: `X·Lᵀ = A`, one row each invocation.
struct Params { c: u32, start: u32, size: u32 }

var<workgroup> block: array<f32, 1056>;
var<workgroup> rows: array<f32, 2112>;
// The roots of the floors of the block's channels.
var<workgroup> least: array<f32, 32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = group(at, groups) * 64u;
    if (first >= p.c) {
        return;
    }
    for (var k = lane; k < 1024u; k = k + 64u) {
        let i = k / 32u;
        let j = k % 32u;
        if (i < p.size && j <= i) {
            block[i * 33u + j] = get_values(get_order(p.start + i) * p.c + p.start + j);
        }
    }
    if (lane < p.size) {
        least[lane] = sqrt(get_floors(get_order(p.start + lane)));
    }
    for (var k = lane; k < 2048u; k = k + 64u) {
        let channel = first + k / 32u;
        let j = k % 32u;
        if (channel < p.c && j < p.size) {
            let other = get_order(p.start + j);
            rows[k / 32u * 33u + j] = get_matrix(max(channel, other) * p.c + min(channel, other));
        }
    }
    workgroupBarrier();
    let channel = first + lane;
    if (channel < p.c && get_places(channel) == 0u) {
        var own = get_matrix(channel * (p.c + 1u));
        let floor = get_floors(channel);
        for (var k = 0u; k < p.size; k++) {
            var value = rows[lane * 33u + k];
            for (var t = 0u; t < k; t++) {
                value = value - rows[lane * 33u + t] * block[k * 33u + t];
            }
            let pivot = block[k * 34u];
            let bound = sqrt(max(own, 0.0));
            value = clamp(value / pivot, -bound, bound);
            value = select(0.0, value, pivot > least[k] && own > floor);
            own = own - value * value;
            rows[lane * 33u + k] = value;
            set_values(channel * p.c + p.start + k, value);
        }
    }
}

//# trailing
// Subtracts what a block explains: one tile of 32 by 32 each workgroup.
struct Params { c: u32, start: u32, size: u32, side: u32 }

var<workgroup> above: array<f32, 1056>;
var<workgroup> beside: array<f32, 1056>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let tile = group(at, groups);
    let down = tile / p.side;
    let right = tile % p.side;
    if (down >= p.side || right > down) {
        return;
    }
    let row = down * 32u;
    let column = right * 32u;
    for (var k = lane; k < 1024u; k = k + 256u) {
        let i = k / 32u;
        let t = k % 32u;
        beside[i * 33u + t] = 0.0;
        above[i * 33u + t] = 0.0;
        if (row + i < p.c && t < p.size) {
            beside[i * 33u + t] = get_values((row + i) * p.c + p.start + t);
        }
        if (column + i < p.c && t < p.size) {
            above[i * 33u + t] = get_values((column + i) * p.c + p.start + t);
        }
    }
    workgroupBarrier();
    for (var k = lane; k < 1024u; k = k + 256u) {
        let i = k / 32u;
        let j = k % 32u;
        if (row + i < p.c && column + j <= row + i) {
            var sum = 0.0;
            for (var t = 0u; t < 32u; t++) {
                sum = sum + beside[i * 33u + t] * above[j * 33u + t];
            }
            let place = (row + i) * p.c + column + j;
            set_matrix(place, get_matrix(place) - sum);
        }
    }
}

//# ordered
// The rows of a factor in the order in which their channels were taken: a lower triangle.
struct Params { n: u32, c: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place < p.n) {
        set_out(place, get_x(get_order(place / p.c) * p.c + place % p.c));
    }
}

//# spread
// Columns back in the order of the channels.
struct Params { n: u32, c: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place < p.n) {
        set_out(place, get_x(place / p.c * p.c + get_places(place % p.c) - 1u));
    }
}

//# by_control
// `x` times a number among the controls.
struct Params { n: u32, place: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i < p.n) {
        set_out(i, get_x(i) * get_controls(p.place));
    }
}

//# inverted_diagonal
// Inverts a block on the diagonal of a factor; one block each workgroup.
struct Params { c: u32 }

var<workgroup> block: array<f32, 1056>;
var<workgroup> inverted: array<f32, 1056>;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let start = group(at, groups) * 32u;
    if (start >= p.c) {
        return;
    }
    let size = min(32u, p.c - start);
    for (var i = 0u; i < size; i++) {
        if (lane <= i) {
            block[i * 33u + lane] = get_matrix((start + i) * p.c + start + lane);
        }
    }
    workgroupBarrier();
    if (lane < size) {
        for (var i = lane; i < size; i++) {
            var value = select(0.0, 1.0, i == lane);
            for (var k = lane; k < i; k++) {
                value = value - block[i * 33u + k] * inverted[k * 33u + lane];
            }
            let pivot = block[i * 34u];
            value = select(0.0, value / pivot, pivot > 0.0);
            inverted[i * 33u + lane] = value;
            set_inverse((start + i) * p.c + start + lane, value);
        }
    }
}

//# halves
// The inverse of `[A 0; B C]` is `[A⁻¹ 0; −C⁻¹·B·A⁻¹ C⁻¹]`, for all pairs of blocks of `side`.
// STEP: 0 `B·A⁻¹`, 1 `−C⁻¹` times that.
struct Params {
    m: u32, n: u32, k: u32, tiles_m: u32, tiles: u32, slice: u32, splits: u32,
    c: u32,
}

fn place_a(m: u32) -> u32 { return m; }
fn place_b(n: u32) -> u32 { return n; }

fn load_a(m: u32, k: u32, end: u32, z: u32) -> vec4f {
    let corner = z * 2u * p.k;
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        let row = corner + p.k + m + i;
        if (m + i < p.m && row < p.c && k < end) {
            if (STEP == 0u) {
                four[i] = get_lower(row * p.c + corner + k);
            } else if (corner + p.k + k < p.c) {
                four[i] = get_inverse(row * p.c + corner + p.k + k);
            }
        }
    }
    return four;
}

fn load_b(n: u32, k: u32, end: u32, z: u32) -> vec4f {
    let corner = z * 2u * p.k;
    var four = vec4f();
    for (var i = 0u; i < 4u; i++) {
        if (n + i < p.n && k < end) {
            if (STEP == 0u) {
                four[i] = get_inverse((corner + k) * p.c + corner + n + i);
            } else if (corner + p.k + k < p.c) {
                four[i] = get_between((corner + p.k + k) * p.c + corner + n + i);
            }
        }
    }
    return four;
}

fn unwanted(m: u32, n: u32, z: u32) -> bool {
    return false;
}

fn finish(m: u32, n: u32, z: u32, rows: array<vec4f, 8>) {
    let corner = z * 2u * p.k;
    var values = rows;
    for (var r = 0u; r < 8u; r++) {
        for (var i = 0u; i < 4u; i++) {
            let row = corner + p.k + m + r;
            if (m + r < p.m && row < p.c && n + i < p.n) {
                let at = row * p.c + corner + n + i;
                if (STEP == 0u) {
                    set_between(at, values[r][i]);
                } else {
                    set_inverse(at, -values[r][i]);
                }
            }
        }
    }
}
