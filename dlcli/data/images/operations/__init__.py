"""Operations that augment images: their table, their random numbers, and how they move image, boxes and masks."""
