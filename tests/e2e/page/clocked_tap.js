// Posts what it is given, one channel, with the context's clock.
class ClockedTap extends AudioWorkletProcessor {
  process([[plane]]) {
    if (plane !== undefined) this.port.postMessage({ frame: currentFrame, plane: plane.slice() });
    return true;
  }
}
registerProcessor("clocked-tap", ClockedTap);
