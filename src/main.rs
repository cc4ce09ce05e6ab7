//! The binary.

fn main() -> std::process::ExitCode {
    large_blocks_of_their_own();
    onramp::cli::main()
}

/// Large blocks come from the kernel and go back to it, whatever their size was before.
///
/// Left alone, glibc raises the bound with each large block that is freed, and the arenas of events
/// land among librdkafka's small ones; each free of theirs then sweeps up all free small blocks
/// (`malloc_consolidate`), which took a fifth of the publishing thread's time.
fn large_blocks_of_their_own() {
    const BYTES: i32 = 128 << 10;
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets a number of the allocator, before any other thread runs.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, BYTES);
    }
}
