@group(0) @binding(0) var<uniform> p: Params;

// The number of a workgroup in a grid whose rows are as long as the adapter allows.
fn group(at: vec3u, groups: vec3u) -> u32 {
    return at.y * groups.x + at.x;
}

var<workgroup> partial: array<f32, 256>;

// The sum over a workgroup of 256, for its first invocation.
fn reduce(lane: u32, value: f32) -> f32 {
    partial[lane] = value;
    for (var half = 128u; half > 0u; half = half >> 1u) {
        workgroupBarrier();
        if (lane < half) {
            partial[lane] = partial[lane] + partial[lane + half];
        }
    }
    workgroupBarrier();
    return partial[0];
}
