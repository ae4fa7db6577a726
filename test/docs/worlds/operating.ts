export declare const pager: { tell(text: string): void }
