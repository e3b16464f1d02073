/// The first three are also shrunk and replayed.
const CASES: &[Case] = &[
    Case("no-sanitisation", 5, "residue is marked by a claim and cleared by a proven cleanup only"),
    Case("release-on-desired-power", 5, "power was Off between two tenancies"),
    Case("missing-drive-forgotten", 5, "never offered with data on a drive"),
    Case("failing-drive-tolerated", 5, "never offered with data on a drive"),
    Case("residue-forgotten-on-delete", 5, "never offered with data on a drive"),
    Case("server-finalizer-unconditional", 5, "never offered with data on a drive"),
    Case("lost-status-rediscovers", 5, "a machine runs what its holder asked for, or nothing"),
    Case("freed-without-bmc", 5, "residue is marked by a claim and cleared by a proven cleanup only"),
    Case("stale-cache-believed", 5, "every server and claim is where its spec wants it"),
    Case("resync-never-runs", 5, "every server and claim is where its spec wants it"),
    Case("session-per-pass", 5, "every BMC session is closed at the end"),
];
