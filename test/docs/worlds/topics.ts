/** What the snippet of `tidemark.config.ts` imports. */
import type { Topic } from 'tidemark'

export declare const orders: Topic
export declare const ordersDlq: Topic
