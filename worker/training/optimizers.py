"""The optimizer of every training."""

import keras


def adamw(learning_rate: float, steps: int, weight_decay: float) -> keras.optimizers.Optimizer:
    """Return AdamW; its learning rate rises to this one in a tenth of the steps, then falls."""
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 10,
        steps,
        warmup_target=learning_rate,
        warmup_steps=steps // 10,
        alpha=0.002,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=weight_decay)
