/** The functions that histories speak of. */
export const FUNCTIONS = ['ant', 'bee', 'cat'] as const;
