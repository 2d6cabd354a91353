//# powers
// A power of two that brings the greatest of some numbers to 2^GREATEST and more, and its reciprocal.
struct Params { n: u32, factor: f32 }

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
        let exponent = i32((bitcast<u32>(bitcast<f32>(greatest[0]) * abs(p.factor)) >> 23u) & 0xffu);
        var power = i32(GREATEST) + 127 - exponent;
        if (exponent == 255) {
            // Something is no number any more, and shall be seen.
            power = 0;
        }
        power = clamp(power, -120, 120);
        set_scales(0u, bitcast<f32>(u32(127 + power) << 23u));
        set_scales(1u, bitcast<f32>(u32(127 - power) << 23u));
    }
}
