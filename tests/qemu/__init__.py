"""What only real controllers can show; run by `python -m tests.in_qemu`, in a machine that has two on one wire."""
