import type { Handler, Message, Topic } from 'tidemark'

export interface Alert {
  readonly severity: number
  readonly status: string
}
export declare const alerts: Topic<Alert>
export declare const handle: Handler<Message<Alert>>
