//# total
struct Params { n: u32, place: u32 }

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var i = lane; i < p.n; i = i + 256u) {
        sum = sum + get_partials(i);
    }
    let total = reduce(lane, sum);
    if (lane == 0u) {
        set_sums(p.place, total);
    }
}

//# greatest
// Of positive numbers; what is no number wins, by its bits.
struct Params { n: u32, place: u32 }

var<workgroup> greatest: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    var most = 0u;
    for (var i = lane; i < p.n; i = i + 256u) {
        most = max(most, bitcast<u32>(get_partials(i)));
    }
    greatest[lane] = most;
    for (var half = 128u; half > 0u; half = half >> 1u) {
        workgroupBarrier();
        if (lane < half) {
            greatest[lane] = max(greatest[lane], greatest[lane + half]);
        }
    }
    workgroupBarrier();
    if (lane == 0u) {
        set_sums(p.place, bitcast<f32>(greatest[0]));
    }
}

//# divisor
struct Params { place: u32, constant: f32 }

@compute @workgroup_size(1)
fn main() {
    var value = p.constant;
    if (p.place != 0xffffffffu) {
        value = value + get_sums(p.place);
    }
    set_divisor(0u, get_divisor(0u) + value);
}
