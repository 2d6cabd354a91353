// Bits lie in words of eight channels by four pixels: bit `channel % 8 * 4 + i` of the word of `channel / 8` and of the
// four pixels. The four are neighbours in reading order, or the corners of what a pool makes one of.

// Scaled, so that squares of small numbers do not vanish.
fn length_of(value: vec4f) -> f32 {
    let most = max(max(abs(value.x), abs(value.y)), max(abs(value.z), abs(value.w)));
    if (most == 0.0) {
        return 0.0;
    }
    let part = value / most;
    return most * sqrt(dot(part, part));
}

//# prepare
struct Params { n: u32, area: u32, mean0: f32, mean1: f32, mean2: f32, scale0: f32, scale1: f32, scale2: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = group(at, groups) * 256u + lane;
    if (i >= p.n) {
        return;
    }
    let channel = i / p.area;
    let mean = select(select(p.mean2, p.mean1, channel == 1u), p.mean0, channel == 0u);
    let scale = select(select(p.scale2, p.scale1, channel == 1u), p.scale0, channel == 0u);
    set_out(i, (get_x(i) - mean) * scale);
}

//# relu
struct Params { words: u32, channels: u32, area: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let word = group(at, groups) * 256u + lane;
    if (word >= p.words) {
        return;
    }
    let fours = (p.area + 3u) / 4u;
    let first = word / fours * 8u;
    let pixel = word % fours * 4u;
    var bits = 0u;
    for (var r = 0u; r < min(8u, p.channels - first); r++) {
        for (var i = 0u; i < min(4u, p.area - pixel); i++) {
            let place = (first + r) * p.area + pixel + i;
            let value = get_x(place);
            bits = bits | (select(0u, 1u, value > 0.0) << (r * 4u + i));
            set_out(place, max(value, 0.0));
        }
    }
    set_bits(word, bits);
}

//# mask
struct Params { words: u32, channels: u32, area: u32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let word = group(at, groups) * 256u + lane;
    if (word >= p.words) {
        return;
    }
    let fours = (p.area + 3u) / 4u;
    let first = word / fours * 8u;
    let pixel = word % fours * 4u;
    let bits = get_mask(word);
    for (var r = 0u; r < min(8u, p.channels - first); r++) {
        for (var i = 0u; i < min(4u, p.area - pixel); i++) {
            if (((bits >> (r * 4u + i)) & 1u) == 0u) {
                set_out((first + r) * p.area + pixel + i, 0.0);
            }
        }
    }
}

//# pool
// KIND: 0 greatest, with bits; 1 mean; 2 root of the sum of squares.
struct Params { words: u32, channels: u32, h: u32, w: u32, factor: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let word = group(at, groups) * 256u + lane;
    if (word >= p.words) {
        return;
    }
    let wide = p.w / 2u;
    let fours = p.h / 2u * wide;
    let first = word / fours * 8u;
    let four = word % fours;
    let corner = four / wide * 2u * p.w + four % wide * 2u;
    var bits = 0u;
    for (var r = 0u; r < min(8u, p.channels - first); r++) {
        let place = (first + r) * p.h * p.w + corner;
        let value = vec4f(get_x(place), get_x(place + 1u), get_x(place + p.w), get_x(place + p.w + 1u));
        var result = 0.0;
        if (KIND == 0u) {
            result = value.x;
            var chosen = 0u;
            for (var i = 1u; i < 4u; i++) {
                if (value[i] > result) {
                    result = value[i];
                    chosen = i;
                }
            }
            bits = bits | (1u << (r * 4u + chosen));
        } else if (KIND == 1u) {
            result = (value.x + value.y + value.z + value.w) * 0.25;
        } else {
            result = length_of(value);
        }
        set_out((first + r) * fours + four, result * p.factor);
    }
    if (KIND == 0u) {
        set_bits(word, bits);
    }
}

//# unpool
// KIND as for `pool`; the last reads the map again.
struct Params { n: u32, h: u32, w: u32, factor: f32 }

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n) {
        return;
    }
    let x = place % p.w;
    let y = place / p.w % p.h;
    let channel = place / p.w / p.h;
    let wide = p.w / 2u;
    let high = p.h / 2u;
    if (x / 2u >= wide || y / 2u >= high) {
        set_out(place, 0.0);
        return;
    }
    let four = y / 2u * wide + x / 2u;
    let source = channel * high * wide + four;
    var value = get_gradient(source) * p.factor;
    if (KIND == 0u) {
        let bit = channel % 8u * 4u + y % 2u * 2u + x % 2u;
        if (((get_bits(channel / 8u * high * wide + four) >> bit) & 1u) == 0u) {
            value = 0.0;
        }
    } else if (KIND == 1u) {
        value = value * 0.25;
    } else {
        let corner = (channel * p.h + y / 2u * 2u) * p.w + x / 2u * 2u;
        let norm = length_of(vec4f(get_x(corner), get_x(corner + 1u), get_x(corner + p.w), get_x(corner + p.w + 1u)));
        if (norm > 0.0) {
            value = value * (get_x(place) / norm);
        } else {
            value = 0.0;
        }
    }
    set_out(place, value);
}

//# fold
// The gradient towards a map from that towards its padded form: every pixel sums what read it.
// PADDING: 0 zeros, 1 the nearest pixel, 2 mirrored. ADD: onto what is there. MASK: zero where bits are.
struct Params { n: u32, h: u32, w: u32 }

// The padded position beyond the first or last index, if it reads `i`; 0, which is beyond the first, for none of `high`.
fn reads(i: u32, n: u32, beyond_last: bool) -> bool {
    if (PADDING == 0u) {
        return false;
    }
    var read = select(0u, n - 1u, beyond_last);
    if (PADDING == 2u && n > 1u) {
        read = select(1u, n - 2u, beyond_last);
    }
    return read == i;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = group(at, groups) * 256u + lane;
    if (place >= p.n) {
        return;
    }
    let x = place % p.w;
    let y = place / p.w % p.h;
    let channel = place / p.w / p.h;
    var sum = 0.0;
    for (var i = 0u; i < 3u; i++) {
        if (i > 0u && !reads(y, p.h, i == 2u)) {
            continue;
        }
        let row = select(select(p.h + 1u, 0u, i == 1u), y + 1u, i == 0u);
        for (var j = 0u; j < 3u; j++) {
            if (j > 0u && !reads(x, p.w, j == 2u)) {
                continue;
            }
            let column = select(select(p.w + 1u, 0u, j == 1u), x + 1u, j == 0u);
            sum = sum + get_bordered((channel * (p.h + 2u) + row) * (p.w + 2u) + column);
        }
    }
    if (ADD == 1u) {
        sum = sum + get_out(place);
    }
    if (MASK == 1u) {
        let area = p.h * p.w;
        let pixel = place % area;
        let bits = get_mask(channel / 8u * ((area + 3u) / 4u) + pixel / 4u);
        if (((bits >> (channel % 8u * 4u + pixel % 4u)) & 1u) == 0u) {
            sum = 0.0;
        }
    }
    set_out(place, sum);
}
