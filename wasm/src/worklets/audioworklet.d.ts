// The global scope of an AudioWorklet, as far as used here: TypeScript's DOM library does not have it.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
  process(inputs: readonly (readonly Float32Array[])[], outputs: readonly (readonly Float32Array[])[]): boolean;
}

declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** Frames since the context began, of the first one of this render quantum. */
declare const currentFrame: number;
declare const sampleRate: number;
