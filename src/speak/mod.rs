//! From text to something a voice can say: written forms become words, and words become phrases
//! short enough to be heard early.
