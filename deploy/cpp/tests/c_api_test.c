/* The C interface, in C: `c-api-test BUNDLE PICTURE BACKEND`. Prints the best class. */
#include <stdio.h>
#include <string.h>

#include "ppcls/ppcls.h"

int main(int count, char** words) {
  char error[PPCLS_ERROR_SIZE];
  if (count != 4) {
    return 2;
  }
  if (ppcls_open("/no/such/bundle", NULL, error) != NULL || strstr(error, "no inference.yml there") == NULL) {
    fprintf(stderr, "a missing bundle: %s\n", error);
    return 1;
  }
  ppcls_options options = {.backend = words[3], .topk = 3};
  ppcls_classifier* classifier = ppcls_open(words[1], &options, error);
  if (classifier == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  ppcls_class best[3];
  const int found = ppcls_classify_file(classifier, words[2], best, 3, error);
  if (found != 3) {
    fprintf(stderr, "%d classes: %s\n", found, error);
    return 1;
  }
  const unsigned char no_picture[4] = {1, 2, 3, 4};
  if (ppcls_classify_bytes(classifier, no_picture, sizeof no_picture, best, 3, error) != -1 || error[0] == '\0') {
    fprintf(stderr, "four bytes were read as a picture\n");
    return 1;
  }
  if (ppcls_classify_file(classifier, words[2], NULL, 3, error) != -1 || strcmp(error, "best is NULL") != 0) {
    fprintf(stderr, "NULL was taken: %s\n", error);
    return 1;
  }
  if (ppcls_verify(classifier, error) != 1) {
    fprintf(stderr, "the golden picture differs %s\n", error);
    return 1;
  }
  printf("%d %.6g %s\n", best[0].class_id, best[0].score, best[0].name == NULL ? "" : best[0].name);
  ppcls_close(classifier);
  return 0;
}
