export interface Message {
  event: string;
  data: string;
  id: string | null;
}

/** Takes the text of an event stream in pieces as they come and gives the events that are whole. */
export class EventParser {
  private rest = '';
  private event = '';
  private data: string[] = [];
  private id: string | null = null;

  push(piece: string): Message[] {
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    const messages: Message[] = [];
    for (const line of lines) {
      if (line === '') {
        if (this.data.length > 0)
          messages.push({ event: this.event || 'message', data: this.data.join('\n'), id: this.id });
        this.event = '';
        this.data = [];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') this.event = value;
      else if (field === 'data') this.data.push(value);
      else if (field === 'id' && !value.includes('\0')) this.id = value;
    }
    return messages;
  }
}
