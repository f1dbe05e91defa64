"""The faults of the chat server, as the official client meets them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import httpx
import openai
import pytest
from servers.faults import FAULTS, Rule
from servers.processes import RunningChatServer, running_chat_server

SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}


async def _post(url: str, *queries: str, key: str = "right", **body: Any) -> list[Any]:
    """What the client returned or raised for each query, asked one after the other."""
    results: list[Any] = []
    transport = openai.DefaultAioHttpClient(trust_env=False)
    async with openai.AsyncOpenAI(
        base_url=url, api_key=key, max_retries=0, timeout=0.3, http_client=transport
    ) as client:
        for query in queries:
            message = {"role": "user", "content": query}
            try:
                request = client.post(
                    "/chat/completions",
                    body={"model": "m", "messages": [message]} | body,
                    cast_to=httpx.Response,
                )
                results.append(await asyncio.wait_for(request, 1))
            except (openai.OpenAIError, asyncio.TimeoutError) as error:
                results.append(error)
    return results


def post(url: str, *queries: str, **options: Any) -> list[Any]:
    return asyncio.run(_post(url, *queries, **options))


def causes(error: BaseException | None) -> list[type[BaseException]]:
    return [] if error is None else [type(error), *causes(error.__cause__)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningChatServer]:
    rules = [Rule(fault, contains=f"<{fault}>", times=None, seconds=0.2) for fault in FAULTS]
    with running_chat_server(tmp_path_factory.mktemp("faults"), faults=rules) as running:
        yield running


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("400", openai.BadRequestError),
        ("401", openai.AuthenticationError),
        ("404", openai.NotFoundError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("502", openai.InternalServerError),
        ("503", openai.InternalServerError),
        ("reset", ConnectionResetError),
        ("close", aiohttp.ServerDisconnectedError),
        ("hang", aiohttp.SocketTimeoutError),
        ("truncated_body", aiohttp.ClientPayloadError),
    ],
)
def test_errors(server, fault, expected):
    (error,) = post(server.url, f"what is <{fault}>")
    assert expected in causes(error)
    assert isinstance(
        error, openai.APIStatusError if fault.isdigit() else openai.APIConnectionError
    )
    if fault.isdigit():
        assert error.status_code == int(fault)


def test_no_read_times_out_while_a_body_drips(server):
    (error,) = post(server.url, "what is <drip>")
    assert type(error) is asyncio.TimeoutError  # the test's own limit: the client's does not help


def test_broken_answers_come_with_status_200(server):
    faults = ["slow", "invalid_json", "invalid_utf8", "html", "wrong_schema", "empty_choices"]
    faults += ["null_content", "truncated_answer", "refusal"]
    answers = dict(zip(faults, post(server.url, *[f"<{f}>" for f in faults]), strict=True))
    assert {answer.status_code for answer in answers.values()} == {200}
    for fault, error in (
        ("invalid_json", json.JSONDecodeError),
        ("invalid_utf8", UnicodeDecodeError),
        ("html", json.JSONDecodeError),
    ):
        with pytest.raises(error):
            answers[fault].json()
    assert "choices" not in answers["wrong_schema"].json()
    assert answers["empty_choices"].json()["choices"] == []
    contents, finished = {}, {}
    for fault in ("slow", "null_content", "truncated_answer", "refusal"):
        (choice,) = answers[fault].json()["choices"]
        contents[fault], finished[fault] = choice["message"]["content"], choice["finish_reason"]
    assert json.loads(contents["slow"])["paraphrases"]
    assert contents["null_content"] is None
    with pytest.raises(json.JSONDecodeError):
        json.loads(contents["truncated_answer"])
    assert contents["refusal"].startswith("I'm sorry")
    assert finished.pop("truncated_answer") == "length"
    assert set(finished.values()) == {"stop"}


def test_the_plan_counts_attempts_and_the_log_tells_what_was_answered(tmp_path):
    rules = [Rule("429", share=0.5, seed=3, times=2, retry_after=1.5)]
    queries = [f"query {number} é" for number in range(20)]
    chosen = [query for query in queries if rules[0].chooses(query)]
    assert 0 < len(chosen) < len(queries)
    with running_chat_server(tmp_path, faults=rules) as server:
        results = post(server.url, *queries * 3)
        limited = [answer for answer in results if isinstance(answer, openai.RateLimitError)]
        assert len(limited) == 2 * len(chosen)
        assert limited[0].response.headers["Retry-After"] == "1.5"
        good = [answer.text for answer in results if isinstance(answer, httpx.Response)]
        assert len({json.loads(text)["choices"][0]["message"]["content"] for text in good}) == 20
        others = [query for query in queries if query not in chosen]
        assert sorted(server.answered) == sorted(chosen + others * 3)
        assert [r["attempt"] for r in server.requests if r["query"] == chosen[0]] == [1, 2, 3]


def test_key_model_and_response_format_are_refused(tmp_path):
    with running_chat_server(
        tmp_path, api_key="right", model="m", json_schema=False, answers={"q": {"a": 1}}
    ) as server:
        (unauthorised,) = post(server.url, "q", key="wrong-secret")
        (unknown,) = post(server.url, "q", model="other")
        (unsupported,) = post(server.url, "q", response_format=SCHEMA)
        good, unanswerable = post(server.url, "q", "another")
        log = (server.folder / "log.jsonl").read_text()
        requests = server.requests
    assert isinstance(unauthorised, openai.AuthenticationError)
    assert isinstance(unknown, openai.NotFoundError)
    assert isinstance(unsupported, openai.BadRequestError)
    assert "response_format" in str(unsupported)
    assert json.loads(good.json()["choices"][0]["message"]["content"]) == {"a": 1}
    assert isinstance(unanswerable, openai.BadRequestError)
    assert [request["authorised"] for request in requests] == [False, True, True, True, True]
    assert [request["json_schema"] for request in requests] == [False, False, True, False, False]
    assert server.answered == ["q"]
    assert "right" not in log
    assert "secret" not in log


def test_the_server_ends_while_a_request_hangs(tmp_path):
    with running_chat_server(tmp_path, faults=[Rule("hang", times=None)]) as server:

        async def ask_and_stop() -> tuple[list[Any], int]:
            asking = asyncio.create_task(_post(server.url, "q"))
            while not server.requests:
                await asyncio.sleep(0.01)
            status = await asyncio.to_thread(server.stop)
            return await asking, status

        (error,), status = asyncio.run(ask_and_stop())
        (refused,) = post(server.url, "q")
    assert status == 0
    assert isinstance(error, openai.APIConnectionError)
    assert ConnectionRefusedError in causes(refused)
