"""Started, stopped, hung, crashed, doubled: nothing leaks, and what can go on goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e_site import Site
from playwright.sync_api import Page

Open = Callable[..., Page]

ECHO = {"version": "v1", "nodes": [{"id": "echo", "node_type": "PassThrough"}]}

SOURCE = """
import time
import remotemedia as rm

@rm.node("Trouble", input_caps="text | audio", output_caps="text | audio")
def trouble(data: rm.Text):
    if not isinstance(data, rm.Text):
        return data
    if data.text == "hang":
        while True:
            pass
    if data.text == "sleepy":
        end = time.perf_counter() + 0.6
        while time.perf_counter() < end:
            pass
    if data.text == "stuck":
        sum(range(10**12))  # no signal gets in there
    if data.text == "trap":
        import msgspec
        msgspec.json.decode(b"[" * 200_000)
    return data
"""
TROUBLE = {"version": "v1", "nodes": [{"id": "t", "node_type": "Trouble"}]}

LINKS = ["", "?link=transferred"]


@pytest.mark.parametrize("query", LINKS)
def test_a_hundred_starts_and_stops_leave_nothing(site: Site, open_page: Open, query: str) -> None:
    page = open_page(site, query)
    session = page.context.new_cdp_session(page)

    def heap() -> int:
        session.send("HeapProfiler.collectGarbage")
        return int(session.send("Runtime.getHeapUsage")["usedSize"])

    page.evaluate(
        """async (manifest) => {
            window.contexts = 0;
            const Real = AudioContext;
            window.AudioContext = class extends Real {
                constructor(...given) { super(...given); window.contexts += 1; }
            };
            window.pipeline = await window.load(manifest);
            const context = new Real();
            window.target = new MediaStreamAudioDestinationNode(context);
            const tone = new OscillatorNode(context);
            tone.connect(window.target);
            tone.start();
            window.cycle = async (count) => {
                for (let n = 0; n < count; n++) {
                    await window.pipeline.start();
                    await window.pipeline.connectStream(window.target.stream);
                    await window.pipeline.connectSpeaker({ from: "echo" });
                    const value = await window.nextOf(window.pipeline);
                    if (value.data.type !== "audio") throw new Error("no audio came");
                    await window.pipeline.stop();
                }
            };
        }""",
        ECHO,
    )
    page.evaluate("window.cycle(10)")
    memory = page.evaluate("window.pipeline.start().then(() => window.pipeline.metrics())")
    page.evaluate("window.pipeline.stop()")
    before = heap()
    page.evaluate("window.cycle(90)")
    after = heap()
    last = page.evaluate("window.pipeline.start().then(() => window.pipeline.metrics())")
    assert page.evaluate("window.workers.size") == 1
    assert page.evaluate("window.contexts") == 1
    assert last["rings"] == []
    assert last["memoryBytes"] == memory["memoryBytes"]
    # Measured: 0 to 150 kB, in either direction.
    assert after - before < 500_000
    page.evaluate("window.pipeline.close()")
    assert page.evaluate("window.workers.size") == 0
    assert page.evaluate("window.pipeline.audioContext.state") == "closed"


def test_pipelines_loaded_and_closed_leave_no_worker(site: Site, open_page: Open) -> None:
    page = open_page(site)
    page.evaluate(
        """async (manifest) => {
            for (let n = 0; n < 4; n++) {
                const pipeline = await window.load(manifest);
                await pipeline.start();
                await pipeline.connectSpeaker();
                await pipeline.close();
                await pipeline.close();
            }
        }""",
        ECHO,
    )
    assert page.evaluate("window.workers.size") == 0
    assert len(page.workers) == 0


def test_a_double_mount_leaves_one_pipeline(site: Site, open_page: Open) -> None:
    page = open_page(site)
    text = page.evaluate(
        """async (manifest) => {
            // As React's StrictMode does: mount, unmount at once, mount.
            const mount = () => {
                const controller = new AbortController();
                const loading = window.load(manifest, { signal: controller.signal });
                loading.catch(() => undefined);
                return { loading, unmount: async () => { controller.abort(); await loading.then((p) => p.close(), () => undefined); } };
            };
            const first = mount();
            const gone = first.unmount();
            const second = mount();
            const pipeline = await second.loading;
            await gone;
            await pipeline.start();
            await pipeline.send(web.text("x"));
            const value = await window.nextOf(pipeline);
            const workers = window.workers.size;
            await pipeline.close();
            return [value.data.text, workers, window.workers.size];
        }""",
        ECHO,
    )
    assert text == ["x", 1, 0]


def test_two_pipelines_on_one_page(site: Site, open_page: Open) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async (manifest) => {
            const both = await Promise.all([window.load(manifest), window.load(manifest)]);
            const texts = [];
            for (const [n, pipeline] of both.entries()) {
                await pipeline.start();
                await pipeline.connectSpeaker();
                await pipeline.send(web.text(`to ${n}`));
            }
            for (const pipeline of both) texts.push((await window.nextOf(pipeline)).data.text);
            await both[0].close();
            await both[1].send(web.text("still here"));
            texts.push((await window.nextOf(both[1])).data.text);
            await both[1].close();
            return texts;
        }""",
        ECHO,
    )
    assert answer == ["to 0", "to 1", "still here"]


def test_calls_in_the_wrong_state_say_what_to_do(site: Site, open_page: Open) -> None:
    page = open_page(site)
    told = page.evaluate(
        """async (manifest) => {
            const say = async (promise) => (await promise.then(() => "no error", (error) => error.message));
            const pipeline = await window.load(manifest);
            const told = [await say(pipeline.send(web.text("x"))), await say(pipeline.connectSpeaker())];
            await pipeline.start();
            told.push(await say(pipeline.start()), await say(pipeline.send(web.text("x"), { to: "eco" })));
            await pipeline.finish();
            told.push(await say(pipeline.send(web.text("x"))));
            await pipeline.close();
            told.push(await say(pipeline.start()), await say(pipeline.metrics()));
            return told;
        }""",
        ECHO,
    )
    assert told == [
        "send: the pipeline is not running: call start() first",
        "connect: the pipeline is not running: call start() first",
        "start: the pipeline is running: call stop() first",
        "there is no node 'eco'; did you mean 'echo'?",
        "this session's input was finished: it takes no more data",
        "start: the pipeline is closed: load it again",
        "metrics: the pipeline is closed: load it again",
    ]


def test_interrupt_drops_what_is_in_flight(site: Site, open_page: Open) -> None:
    page = open_page(site)
    texts = page.evaluate(
        """async (manifest) => {
            const pipeline = await window.load(manifest);
            await pipeline.start();
            const outputs = pipeline.outputs();
            for (let n = 0; n < 20; n++) await pipeline.send(web.text(`old ${n}`));
            await pipeline.interrupt();
            await pipeline.send(web.text("new"));
            const { value } = await outputs.next();
            await pipeline.close();
            return [value.data.text, value.generation];
        }""",
        ECHO,
    )
    assert texts == ["new", 1]


def test_stream_feeds_and_reads_at_once(site: Site, open_page: Open) -> None:
    page = open_page(site)
    count = page.evaluate(
        """async (manifest) => {
            const pipeline = await window.load(manifest);
            await pipeline.start();
            function* texts() { for (let n = 0; n < 3000; n++) yield web.text(String(n)); }
            let next = 0;
            for await (const packet of pipeline.stream(texts())) {
                if (packet.data.text !== String(next++)) throw new Error("out of order");
            }
            const { state } = pipeline;
            await pipeline.close();
            return [next, state];
        }""",
        ECHO,
    )
    assert count == [3000, "finished"]


def test_reload_takes_new_source_and_a_new_manifest_without_a_boot(
    site: Site, open_page: Open
) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async (manifest) => {
            const source = (value) => `
import remotemedia as rm
@rm.node("Say")
def say(data):
    return rm.Text("${value}")
`;
            const pipeline = await window.load(manifest);
            await pipeline.start();
            const said = [];
            const once = async () => {
                await pipeline.send(web.text("x"));
                said.push((await window.nextOf(pipeline)).data.text);
            };
            const yaml = "version: v1\\nnodes:\\n  - {id: say, node_type: Say}\\n";
            for (const value of ["one", "two"]) {
                await pipeline.reload({ manifest: yaml, source: source(value) });
                await pipeline.start();
                await once();
            }
            const error = await pipeline.reload({ manifest: "version: v1\\nnodes: 3\\n" }).catch((error) => error);
            await pipeline.start();
            await once();
            const workers = window.workers.size;
            await pipeline.close();
            return { said, workers, code: error.code };
        }""",
        ECHO,
    )
    assert answer == {"said": ["one", "two", "two"], "workers": 1, "code": "manifest"}


# -- trouble ---------------------------------------------------------------------------------------


def test_a_hung_node_is_cut_off_and_the_session_goes_on(site: Site, open_page: Open) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async ([manifest, source]) => {
            const pipeline = await window.load(manifest, { source, hangTimeoutMs: 500 });
            const events = window.eventsOf(pipeline);
            await pipeline.start();
            await pipeline.send(web.text("hang"));
            await window.until(() => events.some(({ kind }) => kind === "error"));
            await pipeline.send(web.text("after"));
            const value = await window.nextOf(pipeline);
            const { restarts } = await pipeline.metrics();
            await pipeline.close();
            const { error } = events.find(({ kind }) => kind === "error");
            return { text: value.data.text, sequence: value.sequence, restarts, error: window.told(error),
                kinds: events.map(({ kind }) => kind) };
        }""",
        [TROUBLE, SOURCE],
    )
    assert (answer["text"], answer["sequence"], answer["restarts"]) == ("after", 1, 0)
    assert answer["error"]["code"] == "node_hung"
    assert answer["error"]["node"] == "t"
    assert 'File "<page_source>", line 11, in trouble' in answer["error"]["traceback"]
    assert "hung" in answer["kinds"]


def test_a_slow_call_below_the_limit_is_left_alone(site: Site, open_page: Open) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async ([manifest, source]) => {
            const pipeline = await window.load(manifest, { source, hangTimeoutMs: 1500 });
            const events = window.eventsOf(pipeline);
            await pipeline.start();
            await pipeline.send(web.text("sleepy"));
            const value = await window.nextOf(pipeline);
            await pipeline.close();
            return [value.data.text, events.filter(({ kind }) => kind !== "state").length];
        }""",
        [TROUBLE, SOURCE],
    )
    assert answer == ["sleepy", 0]


@pytest.mark.parametrize(
    ("what", "query"),
    [("stuck", ""), ("trap", ""), ("trap", "?link=transferred"), ("hang", "?link=transferred")],
)
def test_what_cannot_be_cut_off_is_started_again_with_its_connections(
    site: Site, open_page: Open, what: str, query: str
) -> None:
    page = open_page(site, query)
    answer = page.evaluate(
        """async ([manifest, source, what]) => {
            const pipeline = await window.load(manifest, { source, hangTimeoutMs: 500 });
            const events = window.eventsOf(pipeline);
            await pipeline.start();
            await pipeline.connectMicrophone();
            await pipeline.connectSpeaker({ channels: 1 });
            const sent = pipeline.send(web.text(what)).then(() => "sent", (error) => error.code);
            await window.until(() => events.some(({ kind, state }) => kind === "state" && state === "restarting"));
            await window.until(() => pipeline.state === "running");
            const before = (await pipeline.metrics()).nodes[0].count;
            await window.until(async () => (await pipeline.metrics()).nodes[0].count > before + 20);
            await pipeline.send(web.text("after"));
            let text = "";
            for await (const { data } of pipeline.outputs()) {
                if (data.type === "text") { text = data.text; break; }
            }
            const { restarts, rings } = await pipeline.metrics();
            const workers = window.workers.size;
            await pipeline.close();
            return { text, restarts, workers, sent: await sent, told: events.filter(({ kind }) => kind === "restart"),
                rings: rings.map(({ kind }) => kind) };
        }""",
        [TROUBLE, SOURCE, what],
    )
    assert (answer["text"], answer["restarts"], answer["workers"]) == ("after", 1, 1)
    assert sorted(answer["rings"]) == ["microphone", "speaker"]
    assert len(answer["told"]) == 1


def test_a_worker_that_dies_again_and_again_is_given_up(site: Site, open_page: Open) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async ([manifest, source]) => {
            const pipeline = await window.load(manifest, { source, hangTimeoutMs: 500 });
            const reading = (async () => { for await (const _ of pipeline.outputs()); })().catch((error) => error.message);
            for (let n = 0; n < 4; n++) {
                if (pipeline.state === "loaded" || pipeline.state === "stopped") await pipeline.start();
                await pipeline.send(web.text("trap")).catch(() => undefined);
                await window.until(() => pipeline.state === "restarting" || pipeline.state === "failed");
                await window.until(() => pipeline.state !== "restarting");
            }
            const { state } = pipeline;
            const told = await reading;
            const refused = await pipeline.send(web.text("x")).catch((error) => error.message);
            await pipeline.close();
            return { state, told, refused, workers: window.workers.size };
        }""",
        [TROUBLE, SOURCE],
    )
    assert answer["state"] == "failed"
    assert "4 times within a minute" in answer["told"]
    assert "load it again" in answer["refused"]
    assert answer["workers"] == 0


def test_a_hidden_page_goes_on(site: Site, open_page: Open) -> None:
    page = open_page(site)
    page.evaluate(
        """async (manifest) => {
            window.pipeline = await window.load(manifest);
            await window.pipeline.start();
            await window.pipeline.connectMicrophone();
            await window.pipeline.connectSpeaker();
        }""",
        ECHO,
    )
    other = page.context.new_page()
    other.goto(f"{site.address}/page/index.html")
    other.bring_to_front()
    count = "window.pipeline.metrics().then(({ nodes }) => nodes[0].count)"
    before = page.evaluate(count)
    page.evaluate("window.sleep(1500)")
    hidden = page.evaluate(count)
    page.bring_to_front()
    other.close()
    page.evaluate("window.sleep(300)")
    after = page.evaluate(count)
    metrics = page.evaluate("window.pipeline.metrics()")
    state = page.evaluate("window.pipeline.state")
    page.evaluate("window.pipeline.close()")
    assert before < hidden < after
    assert (state, metrics["restarts"]) == ("running", 0)
    assert sorted(ring["kind"] for ring in metrics["rings"]) == ["microphone", "speaker"]
