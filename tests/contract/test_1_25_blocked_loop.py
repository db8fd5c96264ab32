"""CONTRACT 1.25: a blocked loop is seen from beside it. (With processes and leases: tests/recovery/test_blocked_loop.py.)"""

import logging
import time

import pytest
from howdah import App

pytestmark = pytest.mark.anyio


async def test_the_heart_thread_notices_a_blocked_loop_after_a_second_and_logs_run_task_and_line(
    jobs: App, caplog: pytest.LogCaptureFixture
) -> None:
    @jobs.task
    async def blocks() -> None:
        while "has been blocked" not in caplog.text:
            time.sleep(0.01)  # This is the line that blocks.

    @jobs.task
    async def brief() -> None:
        time.sleep(0.1)

    with caplog.at_level(logging.WARNING, "howdah"):
        async with jobs.work():
            short = await brief.enqueue()
            await short.result("20s")
            assert f"<run {short.id} of brief" not in caplog.text
            run = await blocks.enqueue()
            await run.result("20s")
    (said,) = [record.getMessage() for record in caplog.records if f"<run {run.id} of blocks, attempt 1>" in record.getMessage()]
    assert "the event loop has been blocked" in said
    assert "time.sleep(0.01)  # This is the line that blocks." in said
