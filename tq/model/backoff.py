"""The wait before the next attempt."""

from tq.model.task import RetryPolicy

BACKOFF_MS_LIMIT = 30 * 86_400_000


def backoff_ms(attempt: int, policy: RetryPolicy, random: float) -> int:
    """Milliseconds to wait after attempt `attempt` (from 1) failed.

    Exponential with full jitter: uniform between 0 and min(max, base * factor ** (attempt - 1)).
    Source: "Exponential Backoff And Jitter", Marc Brooker, AWS Architecture Blog, 2015.

    Args:
        random: uniform in [0, 1); not used by a policy without jitter.
    """
    ceiling = min(policy.backoff_ms_max, BACKOFF_MS_LIMIT)
    # The exponent is bounded first: a float power of a large attempt would overflow.
    bound = min(float(ceiling), policy.backoff_ms_base * policy.factor ** min(attempt - 1, 64))
    return int(bound * random) if policy.jitter else int(bound)
