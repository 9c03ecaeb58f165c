"""What a type checker sees of the library. Nothing here is ever run: mypy and pyright read it."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal, assert_type
from zoneinfo import ZoneInfo

import pandas as pd

from khoros_analytics import (
    ApiError,
    Attempt,
    Client,
    Column,
    Columns,
    Job,
    Jobs,
    JobTimeoutError,
    JournalLine,
    KhorosError,
    Metrics,
    ParameterError,
    RateLimitError,
    Status,
    TargetError,
    Team,
    Teams,
    TimeZones,
    Window,
    read_pandas,
    write_excel,
)
from khoros_analytics.reports import REPORTS, Report, Reports

DtypeBackend = Literal["pandas", "pyarrow"]


def reports(client: Client) -> None:
    """Every report is a method that starts a job, with keywords of its own."""
    assert_type(client.author("2019-02-01", "2019-03-01"), Job)
    assert_type(client.combined(date(2019, 2, 1), datetime(2019, 3, 1)), Job)  # noqa: DTZ001
    assert_type(client.conversation(1548979200000, "2019-03-01", conversation_report_type="CLOSED"), Job)
    assert_type(client.conversation_actions("2019-02-01", "2019-03-01", business_hours="within"), Job)
    assert_type(client.conversation_history_action("2019-02-01", "2019-03-01", raise_limit=True), Job)
    assert_type(client.incoming_post("2019-02-01", "2019-03-01", format="json"), Job)
    assert_type(client.raw_agent_states("2019-02-01", "2019-03-01", team_ids=[6222, "7031"]), Job)
    assert_type(client.raw_brand_posts("2019-02-01", "2019-03-01", campaign_id="c"), Job)
    assert_type(client.raw_expert_help("2019-02-01", "2019-03-01", smart_view_id=7), Job)
    assert_type(client.response("2019-02-01", "2019-03-01", timezone=ZoneInfo("Europe/Berlin")), Job)
    assert_type(client.response_approval("2019-02-01", "2019-03-01", include_disabled=False), Job)
    assert_type(client.team_performance("2019-02-01", "2019-03-01", timezone_offset=timedelta(hours=1)), Job)
    assert_type(client.team_performance_interval("2019-02-01", "2019-03-01", time_interval=timedelta(days=1)), Job)
    assert_type(client.user("2019-02-01", "2019-03-01", agent_ids=("a", "b"), team_ids="t"), Job)
    assert_type(client.start("user", "2019-02-01", "2019-03-01", agent_ids=["a"]), Job)


def metrics(client: Client, computed: list[str], extra: Mapping[str, object]) -> None:
    """Metrics are known names, known labels, constants, or any other text; one or several."""
    client.conversation("2019-02-01", "2019-03-01", metrics="STATUS")
    client.conversation("2019-02-01", "2019-03-01", metrics=["STATUS", "Conversation ID", "ANOTHER"])
    client.conversation("2019-02-01", "2019-03-01", metrics=[Metrics.conversation.STATUS])
    client.conversation("2019-02-01", "2019-03-01", metrics=computed, extra=extra)
    client.conversation("2019-02-01", "2019-03-01", metrics=(name for name in computed), priorities=range(3))
    assert_type(Metrics.conversation.STATUS, Literal["STATUS"])
    assert_type(Metrics.response.BOT_RESPONSE_ORDER, Literal["bot_response_order"])


def job(found: Job) -> None:
    """A job's properties and methods."""
    assert_type(found.wait(timeout=60, on_update=lambda seen: seen.status), Job)
    assert_type(found.refresh(), Job)
    assert_type(found.restart(), Job)
    assert_type(found.download(), Path)
    assert_type(found.download(Path("folder"), overwrite=True, timeout=3600.5), Path)
    assert_type(found.download("file.csv"), Path)
    assert_type(found.to_parquet(Path("file.parquet")), Path)
    assert_type(found.to_parquet("s3://bucket/file.parquet"), Path | str)
    assert_type(found.report, str)
    assert_type(found.window, Window)
    assert_type(found.window.start, datetime)
    assert_type(found.window.length, timedelta)
    assert_type(found.arguments, dict[str, object])
    assert_type(found.workflow_id, str)
    assert_type(found.run_id, str)
    assert_type(found.token, str)
    assert_type(found.status, Status)
    assert_type(found.status.detail, str)
    assert_type(found.status.reason, str | None)
    assert_type(found.status.current_count, int | None)
    assert_type(found.expires_at, datetime | None)
    assert_type(found.history, tuple[Attempt, ...])
    assert_type(found.reattached, bool)


def frames(found: Job, backend: DtypeBackend) -> None:
    """A frame is one of pandas, whatever its types; the names of those are known."""
    assert_type(found.to_pandas(), pd.DataFrame)
    assert_type(found.to_pandas(dtype_backend="pandas", types="text", timeout=60), pd.DataFrame)
    assert_type(read_pandas("file.csv", dtype_backend="pyarrow"), pd.DataFrame)
    assert_type(read_pandas(Path("file.csv"), types={"A": "integer"}, dtype_backend=backend), pd.DataFrame)
    found.to_pandas(dtype_backend="numpy_nullable")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def workbooks(found: Job) -> None:
    """What is written to a path is a path; a text may be a URL, too."""
    assert_type(found.to_excel(Path("book.xlsx"), overwrite=True, types={"A": "text"}, timeout=60), Path)
    assert_type(found.to_excel("s3://bucket/book.xlsx", storage_options={"anon": True}), Path | str)
    assert_type(write_excel("file.csv", Path("folder"), timezone=ZoneInfo("Europe/Berlin")), Path)
    assert_type(write_excel(Path("file.csv"), "book.xlsx", overwrite=True, timezone="UTC"), Path | str)


def client_itself() -> None:
    """A client and what else it offers."""
    with Client("user", "password", "key", region="emea", timezone="Europe/Berlin", timeout=5) as client:
        assert_type(client, Client)
        assert_type(client.job("token"), Job)
        assert_type(client.teams(), Teams)
        assert_type(client.teams()[0].description, str | None)
        assert_type(client.timezones(locale="de"), TimeZones)
        assert_type(client.timezones()[0].offset_millis, int)
        assert_type(client.reports(), Reports)
        assert_type(REPORTS["user"], Report)


def lists(client: Client) -> None:
    """A part of a list is such a list, and shows itself as the whole does."""
    assert_type(client.jobs()[:2], Jobs)
    assert_type(client.jobs()[0], JournalLine)
    assert_type(client.columns("conversation", examples=True)[1:], Columns)
    assert_type(client.columns("conversation")[0], Column)
    assert_type(client.columns("conversation").names, tuple[str, ...])
    assert_type(client.teams()[:2], Teams)
    assert_type(client.teams()[0], Team)
    assert_type(client.timezones()[:2], TimeZones)


def errors(client: Client) -> None:
    """Errors carry what a caller needs to go on."""
    try:
        client.author("2019-02-01", "2019-03-01").download()
    except ParameterError as error:
        assert_type(error.problems, tuple[str, ...])
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
    except ApiError as error:
        assert_type(error.status_code, int | None)
    except TargetError as error:
        assert_type(error.path, Path | None)
    except JobTimeoutError as error:
        late: TimeoutError = error
        raise late from None
    except KhorosError as error:
        assert_type(error.may_have_started, bool | None)
        if error.job is not None:
            assert_type(error.job.token, str)
