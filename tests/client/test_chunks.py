from hypothesis import given
from hypothesis import strategies as st

from tq.client.chunks import chunks_of, chunks_of_specs
from tq.model.commands import Submit
from tq.model.task import RetryPolicy, TaskOptions, TaskSpec
from tq.protocol.codec import encode_frame

specs = st.lists(
    st.builds(
        TaskSpec,
        st.just(b"x" * 16),
        st.text(st.characters(codec="utf-8"), max_size=20),
        st.binary(max_size=2_000),
        options=st.none()
        | st.builds(
            TaskOptions,
            key=st.text(st.characters(codec="utf-8"), max_size=512),
            delay_ms=st.just(1 << 53),
            expires_ms=st.just(1 << 53),
            retry=st.just(RetryPolicy(backoff_ms_base=1 << 53, backoff_ms_max=1 << 53)),
        ),
    ),
    max_size=30,
)


@given(specs, st.integers(1, 10))
def test_chunks_keep_the_order_and_fit_a_frame(tasks: list[TaskSpec], count_max: int) -> None:
    bytes_max = 5_000

    chunks = list(chunks_of_specs(tasks, count_max, bytes_max))

    assert [spec for chunk in chunks for spec in chunk] == tasks
    assert all(1 <= len(chunk) <= count_max for chunk in chunks)
    assert all(len(encode_frame(Submit(1 << 40, chunk))) <= bytes_max or len(chunk) == 1 for chunk in chunks)


def test_small_tasks_travel_by_the_thousand() -> None:
    tasks = [TaskSpec(b"x" * 16, "send_email", bytes(200))] * 2_500

    assert [len(chunk) for chunk in chunks_of_specs(tasks, 1_000, 8 << 20)] == [1_000, 1_000, 500]


def test_a_task_above_the_limit_goes_alone_for_the_connection_to_refuse() -> None:
    large = TaskSpec(b"x" * 16, "send_email", bytes(6_000))

    assert list(chunks_of_specs([large, large], 10, 5_000)) == [[large], [large]]


def test_plain_chunks_keep_the_order() -> None:
    assert list(chunks_of([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(chunks_of([], 2)) == []
