"""Settings, wiring, the pipeline, the scheduler and the command line."""

import os

# The matrices of a desk are small: BLAS threads cost more than they bring, far more on a busy machine.
# This must stand before numpy is loaded; who sets a number keeps it.
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
