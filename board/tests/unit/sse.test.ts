import { describe, expect, it } from 'vitest';
import { EventParser } from '../../src/api/sse';

const TEXT =
  ': hello\n\nid: 7\nevent: change\ndata: {"kinds":\ndata: []}\n\nevent: stale\r\ndata:x\r\n\r\nid\nevent: nothing\n\ndata\n\n';
const EVENTS = [
  { event: 'change', data: '{"kinds":\n[]}', id: '7' },
  { event: 'stale', data: 'x', id: '7' },
  { event: 'message', data: '', id: '' },
];

describe('the event stream', () => {
  it('gives the same events whatever the pieces in which it comes', () => {
    for (let size = 1; size <= TEXT.length; size++) {
      const parser = new EventParser();
      const events = [];
      for (let at = 0; at < TEXT.length; at += size) events.push(...parser.push(TEXT.slice(at, at + size)));
      expect(events).toEqual(EVENTS);
    }
  });

  it('keeps what is not whole', () => {
    const parser = new EventParser();
    expect(parser.push('data: a')).toEqual([]);
    expect(parser.push('b\n')).toEqual([]);
    expect(parser.push('\n')).toEqual([{ event: 'message', data: 'ab', id: null }]);
  });
});
