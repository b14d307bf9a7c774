"""What the process is told of number formats, as far as a machine without a GPU can see it."""

import pytest
import torch

from nmt.errors import UserError
from nmt.kernels.process import prepare, products_in
from nmt.training.precision import choose_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def as_it_was():
    tf32, products = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    attention = torch.backends.cuda.cudnn_sdp_enabled()
    yield
    torch.backends.cudnn.allow_tf32 = tf32
    torch.set_float32_matmul_precision(products)
    torch.backends.cuda.enable_cudnn_sdp(attention)


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_on_a_gpu_cudnn_s_attention_is_off_and_tf32_is_not_taken_for_fp32(precision):
    torch.backends.cuda.enable_cudnn_sdp(True)
    prepare(CUDA, precision)
    assert not torch.backends.cuda.cudnn_sdp_enabled()
    assert torch.backends.cudnn.allow_tf32 == (precision != "fp32")
    assert torch.get_float32_matmul_precision() == ("high" if precision == "tf32" else "highest")


def test_fp32_within_a_process_that_trains_in_tf32_is_fp32_and_leaves_it_as_it_was():
    prepare(CUDA, "tf32")
    with products_in("fp32", CUDA):
        assert not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "high"


def test_a_process_that_was_never_prepared_is_left_as_pytorch_made_it():
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("highest")
    with products_in("tf32", CUDA):
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


def test_products_are_made_in_the_format_that_is_asked_for():
    left = torch.randn(4, 4)
    with products_in("bf16", CPU):
        assert (left @ left).dtype == torch.bfloat16
        with products_in("fp32", CPU):
            assert (left @ left).dtype == torch.float32


@pytest.mark.parametrize("name", ["tf32", "fp16"])
def test_a_format_of_gpus_is_refused_on_a_cpu(name):
    with pytest.raises(UserError, match=f"trainer.precision={name} needs a GPU"):
        choose_precision(CPU, name)
