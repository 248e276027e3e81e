"""What only a kernel with CAN can show: run by tests/test_in_kernel.py in one that comes along, or here where there is vcan0."""
