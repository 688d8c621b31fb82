"""What the terminal says of torch's table of modules: how many of it ran, and which are missing, with the reason."""

import json

import pytest
from nn import module_record

PROPERTY = "torch module"
"""Property of a test of one module: {"module", "ran", "of"}, {"module", "missing"}, or {"refused"}: error inputs."""

MODULES = tuple(
    """
AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d
AvgPool1d AvgPool2d AvgPool3d BatchNorm1d BatchNorm2d BatchNorm3d CELU Conv1d Conv2d Conv3d ConvTranspose1d
ConvTranspose2d ConvTranspose3d CosineEmbeddingLoss ELU FractionalMaxPool2d FractionalMaxPool3d L1Loss
SmoothL1Loss LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d Linear
Bilinear LPPool1d LPPool2d LPPool3d MaxPool1d MaxPool2d MaxPool3d KLDivLoss MSELoss MarginRankingLoss
MultiLabelMarginLoss MultiMarginLoss SoftMarginLoss MultiLabelSoftMarginLoss NLLLoss GaussianNLLLoss
PoissonNLLLoss HingeEmbeddingLoss HuberLoss BCELoss BCEWithLogitsLoss CrossEntropyLoss LinearCrossEntropyLoss
CTCLoss GELU GLU GroupNorm Hardshrink Hardswish Hardtanh InstanceNorm1d InstanceNorm2d InstanceNorm3d
LocalResponseNorm LayerNorm RMSNorm TransformerEncoder TransformerEncoderLayer TransformerDecoderLayer
Transformer MultiheadAttention Embedding ReLU LeakyReLU ReLU6 PReLU RNNCell GRUCell LSTMCell Sigmoid LogSigmoid
SiLU Softmax Softmax2d LogSoftmax Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold Mish RNN GRU
LSTM ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d SELU
ZeroPad1d ZeroPad2d ZeroPad3d CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d
ConstantPad3d
""".split()
)
"""The modules of torch.testing._internal.common_modules.module_db, in its order."""


def summarised(told: list[dict]) -> list[str]:
    """Lines of the summary.

    Args:
        told: What the tests of modules recorded.
    """
    missing = [one for one in told if "missing" in one]
    modules = [one for one in told if "module" in one]
    ran = sum(one.get("ran", 0) for one in told)
    of = sum(one.get("of", 0) for one in told)
    line = (
        f"torch's table of modules: {len(modules) - len(missing)} of {len(MODULES)} modules, {ran:,} of {of:,} samples"
    )
    lines = [line + ("" if ran == of else " of theirs; --whole runs all")]
    reasons = dict.fromkeys(one["missing"] for one in missing)
    for reason in reasons:
        names = [one["module"] for one in missing if one["missing"] == reason]
        lines.append(f"  {reason}: {' '.join(names)}")
    refused = sum(one.get("refused", 0) for one in told)
    return [*lines, f"  {refused} of torch's error inputs are refused here too"] if refused else lines


def write(terminalreporter: pytest.TerminalReporter) -> None:
    """Write the summary, where tests of modules ran."""
    reports = [r for key in ("passed", "failed") for r in terminalreporter.stats.get(key, []) if r.when == "call"]
    told = [json.loads(value) for r in reports for name, value in r.user_properties if name == PROPERTY]
    for line in [*summarised(told), *module_record.lines(module_record.kept(), MODULES)] if told else []:
        terminalreporter.write_line(line)
